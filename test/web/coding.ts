// Messages as text and back, bytes and floats too: Playwright takes nothing but JSON over.

const key = '\u0000';

/** JSON with typed arrays in it. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (!(part instanceof Uint8Array || part instanceof Float32Array)) return part;
    const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    let text = '';
    for (let at = 0; at < bytes.length; at += 0x8000)
      text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return { [key]: part instanceof Uint8Array ? 'u8' : 'f32', data: btoa(text) };
  });
}

/** What `encode` was given. */
export function decode(text: string): unknown {
  return JSON.parse(text, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null || !(key in part)) return part;
    const { [key]: type, data } = part as { [key]: string; data: string };
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    return type === 'u8' ? bytes : new Float32Array(bytes.buffer);
  });
}
