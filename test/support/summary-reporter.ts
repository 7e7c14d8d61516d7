// Counts the tests of all projects for the last line of `npm test`, `N passed, N failed`.
// Under scripts/test.mjs it leaves the counts in a file; alone it prints the line itself.

import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** A vitest reporter: a file that did not load and an error outside of tests count as one failure each. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    let passed = 0;
    let failed = errors.length;
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state);
      const failures = states.filter((state) => state === 'failed').length;
      passed += states.filter((state) => state === 'passed').length;
      failed += module.state() === 'failed' && failures === 0 ? 1 : failures;
    }
    const file = process.env.HEDDLE_TEST_COUNTS;
    if (file === undefined) console.log(`${passed} passed, ${failed} failed`);
    else writeFileSync(file, JSON.stringify({ passed, failed }));
  }
}
