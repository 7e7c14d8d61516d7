// The page's worker.

import { serve } from './training/serve.ts';

serve();
