// Evaluated in a page: what stands out too little from its ground, by WCAG's ratio.
(() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  /** Any CSS colour as red, green, blue and opacity. */
  const parts = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };

  const light = (colour) => {
    const [red, green, blue] = colour
      .slice(0, 3)
      .map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };

  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };

  const ratio = (colour, node) => {
    const [dark, bright] = [light(parts(colour)), light(ground(node))].sort((one, other) => one - other);
    return (bright + 0.05) / (dark + 0.05);
  };

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const weak = [];
  let checked = 0;
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim(),
      node = texts.currentNode.parentElement;
    if (!text || !node.checkVisibility() || node.closest("option, .visually-hidden")) continue;
    const style = getComputedStyle(node);
    const found = ratio(node instanceof SVGElement ? style.fill : style.color, node);
    checked += 1;
    if (found < 4.5) weak.push(`${text}: ${found.toFixed(2)}`);
  }
  const lines = [...document.querySelectorAll("figure .line")].map((line) =>
    ratio(getComputedStyle(line).stroke, line),
  );
  return { checked, weak, lines };
})();
