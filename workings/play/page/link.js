// A link holds the settings that differ from the usual ones, in the part of the address that no server sees.
export function toLink(settings, usual) {
  const changed = Object.entries(settings).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(usual[name]));
  return `${location.href.split("#")[0]}#${encodeURIComponent(JSON.stringify(Object.fromEntries(changed)))}`;
}
export function fromLink() {
  if (location.hash.length < 2) return null;
  try {
    const found = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    return typeof found === "object" ? found : null;
  } catch { return null; }
}
