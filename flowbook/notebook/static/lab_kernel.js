/** Starts the kernel of a notebook, and loads flowbook into it: what “Make it live” does. */

const LOAD = 'get_ipython().run_line_magic("load_ext", "flowbook")';

/**
 * @param {any} context JupyterLab's SessionContext
 * @param {(text: string) => void} say
 * @returns {Promise<void>} rejects with a sentence where it can't be done
 */
export async function makeLive(context, say) {
  if (!context) throw new Error("There is no notebook here whose kernel could be started.");
  if (!context.session?.kernel) {
    say("Starting the kernel of this notebook…");
    await start(context);
  }
  const { kernel } = context.session ?? {};
  if (!kernel) throw new Error("The kernel didn't start. Choose one for this notebook.");
  say(kernel.status === "busy" ? "Loading flowbook as soon as the running cell ends…" : "Loading flowbook into the kernel…");
  const { content } = await kernel.requestExecute({ code: LOAD, silent: true, store_history: false }).done;
  if (content.status !== "ok") throw new Error(`The kernel can't load flowbook: ${content.ename ?? content.status}: ${content.evalue ?? ""}`);
}

/** @param {any} context */
async function start(context) {
  await context.ready;
  const isChoiceNeeded = await context.startKernel();
  if (!isChoiceNeeded && context.session?.kernel) return;
  const { specs } = context.specsManager;
  const wanted = context.kernelPreference.name;
  await context.changeKernel({ name: specs?.kernelspecs[wanted] ? wanted : specs?.default });
}
