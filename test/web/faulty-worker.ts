// The page's worker, with faults on demand.

import { serve } from '../../src/web/training/serve.ts';
import { install } from './faults.ts';

install();
serve();
