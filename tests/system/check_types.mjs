// Reads a JSON list of Kubernetes objects from standard input; writes a JSON list of what is wrong with each, by the types of its
// apiVersion and kind (a field that does not exist, one that is missing) and by the API's schema (a value of the wrong type).
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const HERE = dirname(fileURLToPath(import.meta.url));
const OPERATOR_GROUPS = ["monitoring.coreos.com"];

const moduleOf = ({ apiVersion }) =>
  OPERATOR_GROUPS.includes(apiVersion.split("/")[0])
    ? `@kubernetes-models/prometheus-operator/${apiVersion}`
    : `kubernetes-models/${apiVersion}`;

// Each object as a literal of its interface, in a file that exists in memory alone, so that the compiler finds the packages beside it.
function compile(objects) {
  const sources = new Map(
    objects.map((object, number) => [
      join(HERE, `manifest-${number}.ts`),
      `import type { I${object.kind} } from ${JSON.stringify(moduleOf(object))};\n` +
        `export const manifest: I${object.kind} = ${JSON.stringify(object, null, 2)};\n`,
    ]),
  );
  const options = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.readFile = (name) => sources.get(name) ?? readFile(name);
  const program = ts.createProgram([...sources.keys()], options, host);
  return [...sources.keys()].map((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map((found) => ts.flattenDiagnosticMessageText(found.messageText, " ")),
  );
}

async function validate(object) {
  const { [object.kind]: Model } = await import(moduleOf(object));
  try {
    new Model(object).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
}

const objects = JSON.parse(readFileSync(0, "utf8"));
const findings = compile(objects);
for (const [number, object] of objects.entries()) findings[number].push(...(await validate(object)));
console.log(JSON.stringify(findings));
