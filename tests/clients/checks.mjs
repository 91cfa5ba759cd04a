// Counts what a client's checks come to, and says it as the suites do.

export const base = process.env.MUSTER_BASE;
export const token = process.env.MUSTER_TOKEN;

const checks = [];

/** Adds a check: a sentence and what must not throw. */
export function check(sentence, body) {
  checks.push([sentence, body]);
}

/** Runs them one after the other. */
export async function run(name) {
  let failed = 0;
  for (const [sentence, body] of checks) {
    try {
      await body();
    } catch (error) {
      failed += 1;
      console.error(`${name}: ${sentence}\n`, error);
    }
  }
  console.log(`suite ${name}: ${checks.length - failed} passed, ${failed} failed`);
  process.exit(failed || !checks.length ? 1 : 0);
}
