// The data sets that come with Heddle, by name.

import { fashionMnist } from './fashion-mnist.ts';
import { synthetic } from './synthetic.ts';

/** The data sets that come with Heddle; each takes a split (`train` or `test`) and options. */
export const datasets = { fashionMnist, synthetic };
