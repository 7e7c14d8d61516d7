// The page's worker, with faults on demand.

import './faults.ts';
import '../../src/web/worker.ts';
