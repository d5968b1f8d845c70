/** The settings of the extension, as a schema describes them; JupyterLab stores them. */

/** @typedef {{notify: boolean, notifyAfter: number, graphHeight: number}} Settings */

/** @type {Settings} */
const DEFAULTS = { notify: true, notifyAfter: 60, graphHeight: 480 };

/** The settings, which change as the person changes them. @param {any} registry @param {string} id @returns {Settings} */
export function settingsOf(registry, id) {
  const settings = { ...DEFAULTS };
  registry?.load(id).then(
    (/** @type {any} */ found) => {
      const read = () => {
        Object.assign(settings, found.composite);
        apply(settings);
      };
      found.changed.connect(read);
      read();
    },
    (/** @type {unknown} */ error) => console.warn(`flowbook's settings can't be read, so the defaults apply. ${error}`),
  );
  return settings;
}

/** @param {Settings} settings */
function apply({ graphHeight }) {
  document.documentElement.style.setProperty("--fb-graph-h", `${graphHeight}px`);
}
