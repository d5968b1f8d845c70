// What a bundler would write, by hand. JupyterLab loads this as a classic script, calls `init` with the packages that it shares,
// then asks for "./extension". Files are cached for a year, so the version is part of each address.
(() => {
  const script = new URL(document.currentScript.src);
  const version = script.pathname.match(/remoteEntry\.(.+)\.js$/)[1];
  const NEEDED = {
    apputils: "@jupyterlab/apputils",
    components: "@jupyterlab/ui-components",
    notebook: "@jupyterlab/notebook",
    rendermime: "@jupyterlab/rendermime",
    services: "@jupyterlab/services",
    settings: "@jupyterlab/settingregistry",
    widgets: "@lumino/widgets",
  };
  let shared = {};

  async function newest(name) {
    const versions = Object.keys(shared[name] ?? {}).sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    if (!versions.length) throw new Error(`flowbook's panels need ${name}, which this JupyterLab doesn't share.`);
    const factory = await shared[name][versions.at(-1)].get();
    return factory();
  }

  // All views in one file, packed; where it can't be had, or the page's policy allows no `blob:`, the files that it was made from.
  async function views() {
    try {
      const { load, sheetOf, unpackParts } = await import(new URL(`loader.${version}.js`, script).href);
      const answer = await fetch(new URL(`views.${version}.bin`, script));
      if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
      const texts = await unpackParts(await answer.blob());
      const [plugin, panel] = await load(texts, ["lab_plugin", "panel"]);
      return { plugin, view: async () => panel.default, sheet: sheetOf(texts) };
    } catch (error) {
      console.warn("flowbook loads its files one by one.", error);
      const file = (name) => new URL(`${version}/${name}`, script).href;
      const sheets = ["tokens.css", "flowbook.css", "lab.css"].map((name) => `@import url("${file(name)}");`);
      return {
        plugin: await import(file("lab_plugin.js")),
        view: async () => (await import(file("panel.js"))).default,
        sheet: sheets.join("\n"),
      };
    }
  }

  async function extension() {
    const names = Object.keys(NEEDED);
    const [{ plugin, ...found }, ...packages] = await Promise.all([views(), ...Object.values(NEEDED).map(newest)]);
    return plugin.extension(Object.fromEntries(names.map((name, index) => [name, packages[index]])), found);
  }

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["jupyter-flowbook"] = {
    init: (scope) => {
      shared = scope;
    },
    // JupyterLab writes on what it gets, so it is a plain object, not a module's namespace.
    get: async (name) => {
      if (name !== "./extension") throw new Error(`jupyter-flowbook has no module ${name}.`);
      const made = await extension();
      return () => made;
    },
  };
})();
