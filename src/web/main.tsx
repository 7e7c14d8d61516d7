// The page.

import { render } from 'preact';
import { workerSource } from './source.ts';

const source = workerSource();
const root = document.getElementById('app') as HTMLElement;
source.listen((message) => render(<pre>{JSON.stringify(message)}</pre>, root));
