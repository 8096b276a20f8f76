/** What a run of vitest came to, from its JSON report. */
export interface Report {
  success: boolean;
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { fullName: string; status: string }[];
  }[];
}

export interface Summary {
  passed: number;
  failed: number;
  skipped: number;
  /** Reason -> names of the tests skipped for it. */
  reasons: Map<string, string[]>;
}

const NEEDS = /\s*\[needs ([^\]]+)\]/;

export function summariseTests(report: Report): Summary {
  const summary: Summary = { passed: 0, failed: 0, skipped: 0, reasons: new Map() };
  for (const file of report.testResults) {
    for (const { fullName, status } of file.assertionResults) {
      if (status === "passed") summary.passed++;
      else if (status === "failed") summary.failed++;
      else {
        summary.skipped++;
        const lacks = NEEDS.exec(fullName)?.[1];
        const reason = lacks ? `this machine lacks ${lacks}` : "the test says so itself";
        summary.reasons.set(reason, [...summary.reasons.get(reason) ?? [], fullName.replace(NEEDS, "")]);
      }
    }
    // A file that did not load, or whose set-up failed, has no failed test of its own and is a failure all the same.
    const silent = !file.assertionResults.some(({ status }) => status === "failed");
    if (file.status === "failed" && silent) summary.failed++;
  }
  // An error outside of any test, such as an unhandled rejection.
  if (!report.success && summary.failed === 0) summary.failed = 1;
  return summary;
}

/** The last lines of a run: what was skipped and why, then the counts, alone on their line. */
export function describeSummary({ passed, failed, skipped, reasons }: Summary): string {
  const lines = [...reasons].flatMap(([reason, tests]) => [
    `Skipped, because ${reason}:`,
    ...tests.map((name) => `  ${name}`),
  ]);
  return [...lines, `${passed} passed, ${failed} failed, ${skipped} skipped`].join("\n");
}
