// Data sets out of pictures: one folder a class, as torchvision's ImageFolder, PNG images only.
// How a folder is read is the platform's.

import { listFolder } from '#platform';
import { HeddleError } from '../errors.ts';
import type { Folder, FolderFile } from '../platform/sources.ts';
import type { ClassDataset } from './dataset.ts';
import { decodePng } from './png.ts';
import { resize } from './resize.ts';

/** A picture by its path, `class/name.png`, or a File that a page got from `<input type="file" webkitdirectory>`. */
export type ImageFile = File | { readonly path: string; readonly bytes: Uint8Array };

/** Options of `datasets.imageFolder`. */
export interface ImageFolderOptions {
  /** 3: red, green, blue, as torchvision's ImageFolder; 1: grey. Default 3. */
  readonly channels?: 1 | 3 | undefined;
  /** Pixels, or [height, width], that images are resized to. Default: they must all have the same size. */
  readonly size?: number | readonly [number, number] | undefined;
  /** For messages and records. Default: the folder's name. */
  readonly name?: string | undefined;
}

/** Files that are read at once. */
const together = 16;
const mostBytes = 2 ** 32;
/** Pictures that people would miss if they were passed over. */
const otherPictures = /\.(jpe?g|ppm|bmp|pgm|tiff?|webp|gif|avif|heic)$/i;

/**
 * The PNG images in the folders of a folder (Node), or the given ones (Node and browser). Each folder is a class; classes
 * and images are in the order of their names. Throws `data` for folders and files that are not as they should be, `usage`
 * for options that make no sense and for a folder's name in a browser.
 */
export async function imageFolder(
  source: string | Iterable<ImageFile>,
  options: ImageFolderOptions = {},
): Promise<ClassDataset> {
  const { channels = 3, size } = options;
  if (channels !== 1 && channels !== 3) {
    throw new HeddleError(
      'usage',
      `imageFolder: channels ${String(channels)}: expected 1 (grey) or 3 (colour).`,
    );
  }
  const wanted = typeof size === 'number' ? [size, size] : size;
  if (
    wanted !== undefined &&
    !(wanted.length === 2 && wanted.every((n) => Number.isSafeInteger(n) && n >= 1))
  ) {
    const expected = 'expected a positive integer or [height, width]';
    throw new HeddleError('usage', `imageFolder: size ${String(size)}: ${expected}.`);
  }
  const folder = typeof source === 'string' ? await listFolder(source) : folderOf(source);
  const { name = folder.name } = options;
  const where = typeof source === 'string' ? source : name;
  const { classes, files } = sorted(where, folder);

  let [height, width] = wanted ?? [];
  let inputs: Uint8Array | undefined;
  let firstPath = '';
  for (let start = 0; start < files.length; start += together) {
    const some = files.slice(start, start + together);
    const contents = await Promise.all(some.map(({ read }) => read()));
    for (const [i, content] of contents.entries()) {
      const path = `${where}/${some[i]!.path}`;
      let image = await decodePng(path, content, channels);
      if (height === undefined || width === undefined) {
        [height, width, firstPath] = [image.height, image.width, path];
      }
      if (wanted !== undefined) image = resize(image, height, width);
      if (image.height !== height || image.width !== width) {
        const found = `${path} has ${image.height} x ${image.width} pixels, ${firstPath} has ${height} x ${width}`;
        throw new HeddleError('data', `${found}: expected the same for all. Give a size to resize them to.`);
      }
      const { pixels } = image;
      const needed = files.length * pixels.length;
      if (needed > mostBytes) {
        const text = `${where}: ${files.length} images of ${pixels.length} bytes, at most ${mostBytes} in all`;
        throw new HeddleError('data', `${text}. Give a smaller size.`);
      }
      inputs ??= new Uint8Array(needed);
      inputs.set(pixels, (start + i) * pixels.length);
    }
  }
  const labels = files.map(({ label }) => label);
  return {
    name,
    length: files.length,
    inputs: inputs as Uint8Array,
    inputShape: [channels, height as number, width as number],
    targets: classes.length <= 256 ? Uint8Array.from(labels) : Int32Array.from(labels),
    classes,
    synthetic: false,
  };
}

type LabelledFile = FolderFile & { readonly label: number };

/** Classes by name, and their images by folder and name, as torchvision sorts them. */
function sorted(where: string, { folders, files }: Folder): { classes: string[]; files: LabelledFile[] } {
  const classes = [...folders].sort();
  if (classes.length === 0) {
    throw new HeddleError('data', `${where}: expected a folder for each class, found none.`);
  }
  const other = files.find(({ path }) => path.includes('/') && otherPictures.test(path));
  if (other !== undefined) {
    throw new HeddleError('data', `${where}/${other.path}: only PNG images can be read. Convert it.`);
  }
  const pictures = files
    .filter(({ path }) => /\.png$/i.test(path) && path.includes('/'))
    .map((file) => {
      const slash = file.path.lastIndexOf('/');
      const label = classes.indexOf(file.path.slice(0, file.path.indexOf('/')));
      return { ...file, label, folder: file.path.slice(0, slash), file: file.path.slice(slash + 1) };
    })
    .sort((a, b) => a.label - b.label || compare(a.folder, b.folder) || compare(a.file, b.file));
  const empty = classes.find((_, label) => !pictures.some((picture) => picture.label === label));
  if (empty !== undefined) {
    throw new HeddleError('data', `${where}/${empty}: the class has no PNG images.`);
  }
  return { classes, files: pictures };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function folderOf(files: Iterable<ImageFile>): Folder {
  const folders = new Set<string>();
  let name = 'images';
  const all = Array.from(files, (file): FolderFile => {
    if (!(file instanceof Blob)) return { path: file.path, read: async () => file.bytes };
    // A page gets the folder that was chosen as the first part of each path; Node's File has no such path.
    const [root, ...parts] = (file.webkitRelativePath ?? '').split('/');
    if (root) name = root;
    return {
      path: parts.length > 0 ? parts.join('/') : file.name,
      read: async () => new Uint8Array(await file.arrayBuffer()),
    };
  }).filter(({ path }) => !path.split('/').some((part) => part.startsWith('.')));
  for (const { path } of all) if (path.includes('/')) folders.add(path.slice(0, path.indexOf('/')));
  return { name, folders: [...folders], files: all };
}
