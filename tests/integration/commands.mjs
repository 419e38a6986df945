// A process that lives on: one JSON object a line in on standard input, one answer a line out on standard output.
import { createInterface } from 'node:readline';

// Libraries print advice; standard output is for the answers alone.
console.log = console.info = console.error;

export async function answerCommands(handlers) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...parameters } = JSON.parse(line);
    let answer;
    try {
      answer = { ok: (await handlers[command](parameters)) ?? null };
    } catch (error) {
      answer = { failed: error.stack };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  process.exit(0);
}
