/** The server extension of flowbook, where this JupyterLab's server has it. */

/** @typedef {{base: URL, headers: () => Record<string, string>}} Server */

/** Where the server's pages are; null if this server has none: it says so in the page's configuration. @param {any} services JupyterLab's @returns {Server | null} */
export function serverOf({ ServerConnection }) {
  const said = document.getElementById("jupyter-config-data")?.textContent;
  if (!said || JSON.parse(said).flowbookPages !== true) return null;
  const { baseUrl, token } = ServerConnection.makeSettings();
  return { base: new URL("flowbook/", new URL(baseUrl, location.href)), headers: () => headersOf(token) };
}

/** @param {string} token @returns {Record<string, string>} */
function headersOf(token) {
  return token ? { Authorization: `token ${token}` } : {};
}
