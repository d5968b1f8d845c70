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

  async function extension() {
    const names = Object.keys(NEEDED);
    const [plugin, ...packages] = await Promise.all([
      import(new URL(`${version}/lab_plugin.js`, script).href),
      ...Object.values(NEEDED).map(newest),
    ]);
    return plugin.extension(Object.fromEntries(names.map((name, index) => [name, packages[index]])));
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
