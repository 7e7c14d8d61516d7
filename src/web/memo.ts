// A component that draws again only when one of its properties is another one.

import { Component, type ComponentType, createElement } from 'preact';

type Props = Readonly<Record<string, unknown>>;

export function memo<P extends object>(Inner: (props: P) => preact.ComponentChild): ComponentType<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const [a, b] = [this.props as Props, next as Props];
      const names = Object.keys({ ...a, ...b });
      return names.some((name) => !Object.is(a[name], b[name]));
    }
    override render() {
      return createElement(Inner as ComponentType<P>, this.props as P & preact.Attributes);
    }
  };
}
