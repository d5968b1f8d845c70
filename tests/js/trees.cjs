// Which modules of two folders differ in what they say: their syntax trees, without places. Run with --expose-internals, which has
// node's own parser. Prints the names, one a line.
const { readdirSync, readFileSync } = require("node:fs");
const { Parser } = require("internal/deps/acorn/acorn/dist/acorn");

const PLACES = new Set(["start", "end", "raw"]);
const [, , before, after] = process.argv;

const treeOf = (path) => {
  const tree = Parser.parse(readFileSync(path, "utf8"), { ecmaVersion: "latest", sourceType: "module" });
  return JSON.stringify(tree, (key, value) => {
    if (PLACES.has(key)) return undefined;
    return value instanceof RegExp || typeof value === "bigint" ? String(value) : value;
  });
};

for (const name of readdirSync(before)) if (treeOf(`${before}/${name}`) !== treeOf(`${after}/${name}`)) console.log(name);
