/** Reads what a notebook keeps of a run. */

/** @typedef {{wire: number, panel: string, run: string, flow: string, stamp: string, packed: string}} Kept */
/** @typedef {{graph: any, snapshot: any, details: Record<string, any>, answers: Record<string, any>, note: string, parts?: Record<string, string>}} Unpacked */

export const WIRE = 1;

/** @param {Pick<Kept, "packed"> & Partial<Kept>} kept @returns {Promise<Unpacked>} */
export async function unpack({ packed }) {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return withInputs(JSON.parse(await new Response(stream).text()));
}

/** Give each input that is another task's output its preview: it is kept there only. @param {Unpacked} unpacked */
function withInputs(unpacked) {
  const { details } = unpacked;
  for (const { inputs = [] } of Object.values(details)) {
    for (const input of inputs) input.preview ??= (input.from && details[input.from]?.output) || null;
  }
  return unpacked;
}
