// A job list in on standard input, the results out on standard output, both JSON: one node process serves many cases.
import { text } from 'node:stream/consumers';

export async function runJobs(handler) {
  const jobs = JSON.parse(await text(process.stdin));
  const results = [];
  for (const job of jobs) {
    try {
      results.push({ ok: await handler(job) });
    } catch (error) {
      results.push({
        failed: {
          name: error.name,
          message: error.message,
          code: error.code ?? null,
          error: error.error ?? null,
          status: error.status ?? error.response?.status ?? null,
        },
      });
    }
  }
  process.stdout.write(JSON.stringify(results));
}
