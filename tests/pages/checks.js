// What is wrong with the page that is shown, as a list of phrases. WCAG 2.1, 1.4.3: 4.5:1 for text; no part of it stands
// beyond the window.
(() => {
  const LEAST = 4.5;
  const faults = [];
  const width = window.innerWidth;
  const parse = (text) => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return { r: parts[0], g: parts[1], b: parts[2], a: parts.length > 3 ? parts[3] : 1 };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const light = (value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const luminance = (c) => 0.2126 * light(c.r) + 0.7152 * light(c.g) + 0.0722 * light(c.b);
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) layers.push(parse(getComputedStyle(each).backgroundColor));
    const night = matchMedia("(prefers-color-scheme: dark)").matches;
    let found = night ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
    for (const layer of layers.reverse()) found = over(layer, found);
    return found;
  };
  const name = (element) => element.tagName.toLowerCase() + (element.className ? "." + element.className : "");
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== "hidden";
  };
  const scrolled = document.documentElement.scrollWidth;
  if (scrolled > width) faults.push(`is ${scrolled} wide in a window of ${width}`);
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (shown(element) && (box.right > width + 0.5 || box.left < -0.5)) {
      faults.push(`${name(element)} stands beyond the window: ${Math.round(box.left)} to ${Math.round(box.right)} of ${width}`);
    }
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  let texts = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !shown(element)) continue;
    texts += 1;
    const below = ground(element);
    const ink = over(parse(getComputedStyle(element).color), below);
    const [bright, dim] = [luminance(ink), luminance(below)].sort((a, b) => b - a);
    const ratio = (bright + 0.05) / (dim + 0.05);
    if (ratio < LEAST && !told.has(name(element))) {
      told.add(name(element));
      faults.push(`${name(element)} has contrast ${ratio.toFixed(2)}: ${node.textContent.trim().slice(0, 40)}`);
    }
  }
  if (texts === 0) faults.push("shows no text");
  for (const image of document.images) {
    if (!image.complete || image.naturalWidth === 0) faults.push(`a picture is not shown: ${image.src.slice(0, 60)}`);
  }
  return faults;
})()
