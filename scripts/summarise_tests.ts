/** What a run of vitest came to, from its JSON report. */
export interface Report {
  success: boolean;
  testResults: {
    name: string;
    status: string;
    message?: string;
    /** `failureMessages` of a test that passed in the end are those of its first look. */
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
}

export interface Summary {
  passed: number;
  failed: number;
  skipped: number;
  /** Reason -> names of the tests skipped for it. */
  reasons: Map<string, string[]>;
  /** Name and the first lines of what was said. */
  failures: string[];
  /** Passed when they were looked at once more. */
  slow: string[];
}

const NEEDS = /\s*\[needs ([^\]]+)\]/;

export function summariseTests(report: Report): Summary {
  const summary: Summary = { passed: 0, failed: 0, skipped: 0, reasons: new Map(), failures: [], slow: [] };
  for (const file of report.testResults) {
    for (const { fullName, status, failureMessages = [] } of file.assertionResults) {
      const said = () => `${file.name.split("/").slice(-2).join("/")}: ${fullName}\n${quote(failureMessages[0] ?? "")}`;
      if (status === "passed") {
        summary.passed++;
        if (failureMessages.length > 0) summary.slow.push(said());
      } else if (status === "failed") {
        summary.failed++;
        summary.failures.push(said());
      } else {
        summary.skipped++;
        const lacks = NEEDS.exec(fullName)?.[1];
        const reason = lacks ? `this machine lacks ${lacks}` : "the test says so itself";
        summary.reasons.set(reason, [...summary.reasons.get(reason) ?? [], fullName.replace(NEEDS, "")]);
      }
    }
    // A file that did not load, or whose set-up failed, has no failed test of its own and is a failure all the same.
    const silent = !file.assertionResults.some(({ status }) => status === "failed");
    if (file.status === "failed" && silent) {
      summary.failed++;
      summary.failures.push(`${file.name}\n${quote(file.message ?? "")}`);
    }
  }
  // An error outside of any test, such as an unhandled rejection.
  if (!report.success && summary.failed === 0) summary.failed = 1;
  return summary;
}

const QUOTED_LINES = 12;
const quote = (message: string) =>
  message.split("\n").slice(0, QUOTED_LINES).map((line) => `    ${line.slice(0, 300)}`).join("\n");

const describe = (heading: string, entries: readonly string[]) =>
  entries.length === 0 ? [] : [heading, ...entries.map((entry) => `  ${entry}`)];

/** The last lines of a run: what was skipped and why, what was slow, what failed, then the counts, alone on their line. */
export function describeSummary({ passed, failed, skipped, reasons, failures, slow }: Summary): string {
  const lines = [
    ...[...reasons].flatMap(([reason, tests]) => describe(`Skipped, because ${reason}:`, tests)),
    ...describe("Passed at a second look, because they did not come in time:", slow),
    ...describe("Failed:", failures),
  ];
  return [...lines, `${passed} passed, ${failed} failed, ${skipped} skipped`].join("\n");
}
