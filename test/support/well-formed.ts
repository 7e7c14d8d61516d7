// Whether a text is well-formed XML, as far as reports and pictures need it: elements that nest, quoted attributes that come
// once, known entities, characters that XML has.

const name = '[A-Za-z][\\w:.-]*';
const attribute = new RegExp(`\\s+(${name})="([^"<]*)"`, 'gy');
const token = new RegExp(`<(/?)(${name})((?:\\s+${name}="[^"<]*")*)\\s*(/?)>`, 'y');

/** What is wrong with a text as XML; undefined when nothing is. Gathers elements and attribute values for further tests. */
export function faultOf(
  xml: string,
  found: { readonly elements: string[]; readonly attributes: [string, string][] } = {
    elements: [],
    attributes: [],
  },
): string | undefined {
  const text = xml.replace(/^<!DOCTYPE html>\n/, '');
  const alien = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.exec(text);
  if (alien) return `the character ${alien[0].charCodeAt(0).toString(16)} at ${alien.index}`;
  const entity = /&(?!(?:amp|lt|gt|quot|#39);)/.exec(text);
  if (entity) return `a bare ampersand: ${text.slice(entity.index, entity.index + 30)}`;
  const open: string[] = [];
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) return `no tag: ${text.slice(at, at + 40)}`;
    const [whole, closing, element = '', attributes = '', empty] = match;
    if (closing) {
      const expected = open.pop();
      if (element !== expected) return `</${element}> where </${expected}> was expected`;
    } else {
      found.elements.push(element);
      const pairs = [...attributes.matchAll(attribute)].map(
        ([, key = '', value = '']) => [key, value] as [string, string],
      );
      if (new Set(pairs.map(([key]) => key)).size < pairs.length) return `an attribute twice in ${whole}`;
      found.attributes.push(...pairs);
      if (!empty) open.push(element);
      if (open.length === 0) {
        const rest = text.slice(at + whole.length).trim();
        if (rest !== '') return `something after the root: ${rest.slice(0, 40)}`;
      }
    }
    at += whole.length;
  }
  return open.length === 0 ? undefined : `<${open.at(-1)}> is not closed`;
}
