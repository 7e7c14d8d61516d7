// One setting's control: what is typed is read strictly, and said to be wrong without being taken away.

import { useEffect, useId, useState } from 'preact/hooks';
import type { Read } from '../settings.ts';

interface FieldProps<T> {
  readonly label: string;
  readonly value: string;
  readonly read: (text: string) => Read<T>;
  readonly onValue: (value: T) => void;
  readonly inputMode?: 'numeric' | 'decimal';
  readonly placeholder?: string;
  readonly wide?: boolean;
}

export function TextField<T>({ label, value, read, onValue, inputMode, placeholder, wide }: FieldProps<T>) {
  const [text, setText] = useState(value);
  const id = useId();
  useEffect(() => setText(value), [value]);
  const wrong = read(text.trim());
  const take = () => {
    const found = read(text.trim());
    if (found.ok && text.trim() !== value) onValue(found.value);
  };
  return (
    <div class={wide ? 'field wide' : 'field'}>
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        inputMode={inputMode ?? 'text'}
        autocomplete="off"
        spellcheck={false}
        placeholder={placeholder ?? ''}
        value={text}
        aria-invalid={!wrong.ok}
        aria-describedby={wrong.ok ? undefined : `${id}-wrong`}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={take}
        onKeyDown={(event) => event.key === 'Enter' && take()}
      />
      {!wrong.ok && (
        <small class="wrong" id={`${id}-wrong`}>
          {wrong.expected}
        </small>
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly titles: Readonly<Record<T, string>>;
  readonly onValue: (value: T) => void;
  readonly wide?: boolean;
}

export function ChoiceField<T extends string>({ label, value, titles, onValue, wide }: ChoiceProps<T>) {
  const id = useId();
  return (
    <div class={wide ? 'field wide' : 'field'}>
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value as T)}>
        {(Object.keys(titles) as T[]).map((name) => (
          <option key={name} value={name}>
            {titles[name]}
          </option>
        ))}
      </select>
    </div>
  );
}
