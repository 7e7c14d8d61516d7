// The data sets as the page's worker has them: dropped files first, then those kept from an earlier visit, the page's own
// server, and the mirrors. Keeps the last set in memory, so that the next training begins at once.

import { FASHION_MNIST_FILES } from '../../data/fashion-mnist.ts';
import { KMNIST_FILES, MNIST_FILES } from '../../data/mnist.ts';
import { messageOf } from '../../errors.ts';
import { type ClassDataset, datasets } from '../../index.ts';
import { browserStore } from '../../platform/browser-store.ts';
import type { Bytes, DownloadProgress, FileSet, FileStore } from '../../platform/files.ts';
import type { DroppedFile, Message, Settings } from '../../recipes/protocol.ts';
import type { DataSums } from '../../recipes/record.ts';
import { recognise } from './dropped.ts';
import { every } from './pace.ts';

/** What is trained and tested on. */
export interface Data {
  readonly train: ClassDataset;
  readonly test: ClassDataset;
}

/** See `createDataRoom`. */
export interface DataRoom {
  /** Both halves of a set. Throws `data` when they cannot be had. */
  load(dataset: Settings['dataset']): Promise<Data>;
  /** Takes files that were dropped for a set; says which are missing yet. Throws `data` for the first that is none of it. */
  drop(dataset: Settings['dataset'], files: readonly DroppedFile[]): Promise<void>;
  /** Where the page is; its server's files lie below, in `data/SET/`. */
  address: string;
  /** Ends a download that goes on. */
  abandon(): void;
  /** Forgets the data in memory, but for what was dropped. */
  free(): void;
}

const fileSets = {
  'fashion-mnist': { set: FASHION_MNIST_FILES, load: datasets.fashionMnist },
  mnist: { set: MNIST_FILES, load: datasets.mnist },
  kmnist: { set: KMNIST_FILES, load: datasets.kmnist },
};

/** What `tell` is told: downloads, and notices. */
export function createDataRoom(
  tell: (message: Extract<Message, { type: 'download' | 'notice' }>) => void,
  kept: FileStore = browserStore(),
): DataRoom {
  const dropped = new Map<string, Bytes>();
  const key = (set: string, name: string) => `${set}/${name}`;
  const store: FileStore = {
    ...kept,
    read: async (set, name) => dropped.get(key(set, name)) ?? kept.read(set, name),
  };
  const noticed = new Set<string>();
  const notice = (text: string) => {
    if (noticed.has(text)) return;
    noticed.add(text);
    tell({ type: 'notice', text });
  };
  let last: { readonly dataset: Settings['dataset']; readonly data: Promise<Data> } | undefined;
  let loading: AbortController | undefined; // what ends the load of the last set, until it is there

  const fetchBoth = async (dataset: Settings['dataset'], signal: AbortSignal): Promise<Data> => {
    if (dataset === 'synthetic')
      return { train: await datasets.synthetic('train'), test: await datasets.synthetic('test') };
    const { load } = fileSets[dataset];
    const due = every(100);
    let told: string | undefined; // the file of the last message: each has one, however fast it comes
    const onProgress = ({ file, received, total }: DownloadProgress) => {
      if (!due(performance.now()) && received !== total && file === told) return;
      told = file;
      tell({ type: 'download', file, received, ...(total !== undefined && { total }) });
    };
    const baseUrl = new URL(`data/${dataset}/`, room.address).href;
    const options = { baseUrl, store, onProgress, onNotice: notice, signal };
    const test = await load('test', options); // the small one first: what is wrong shows soon
    return { train: await load('train', options), test };
  };

  const room: DataRoom = {
    // The worker's script lies in a folder of its own, where the page is built.
    address: new URL('../', globalThis.location?.href ?? 'http://localhost/assets/').href,
    load(dataset) {
      if (last?.dataset === dataset) return last.data;
      room.abandon();
      const ending = new AbortController();
      const data = fetchBoth(dataset, ending.signal);
      last = { dataset, data };
      loading = ending;
      data
        .catch(() => {
          if (last?.data === data) last = undefined;
        })
        .finally(() => {
          if (loading === ending) loading = undefined;
        });
      return data;
    },
    async drop(dataset, files) {
      if (dataset === 'synthetic') {
        tell({ type: 'notice', text: 'the synthetic set is drawn by a program and needs no files' });
        return;
      }
      const { set } = fileSets[dataset];
      const others = Object.values(fileSets).flatMap((one) => (one.set === set ? [] : [one.set]));
      for (const file of files) {
        const { entry, content } = await recognise(file, set, others);
        dropped.set(key(set.name, entry.name), content);
        if (last?.dataset === dataset) last = undefined;
        await kept.write(set.name, entry.name, content).catch((error: unknown) => {
          notice(`${set.name} is not kept for the next visit: ${messageOf(error)}`);
        });
      }
      tell({ type: 'notice', text: await standText(set) });
    },
    abandon() {
      if (loading === undefined) return;
      loading.abort(new Error('stopped'));
      loading = last = undefined;
    },
    free() {
      room.abandon();
      last = undefined;
    },
  };

  /** What of a set is there by now. */
  const standText = async (set: FileSet) => {
    const has = async (name: string) => {
      try {
        return (await store.read(set.name, name)) !== undefined;
      } catch {
        return false;
      }
    };
    const missing: string[] = [];
    for (const { name } of set.files) if (!(await has(name))) missing.push(`${name}.gz`);
    return missing.length === 0
      ? `all ${set.files.length} files of ${set.name} are here: start`
      : `${set.files.length - missing.length} of ${set.files.length} files of ${set.name} are here; missing: ${missing.join(', ')}`;
  };
  return room;
}

async function sumOf({ inputs, targets }: ClassDataset): Promise<string> {
  const parts = [inputs, targets].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The sums of a run's data, as records have them. */
export async function dataSums({ train, test }: Data): Promise<DataSums> {
  return { sha256: await sumOf(train), testSha256: await sumOf(test) };
}
