// Block Kit's layout blocks.
import { h } from "./dom.js";
import { actionElement } from "./elements.js";
import { inputBlock } from "./inputs.js";
import { pictureButton } from "./lightbox.js";
import { mrkdwn, plainText } from "./mrkdwn.js";
import { richText, table } from "./rich_text.js";

// `place` is where the blocks stand: {store, names, act(element, block, value), values, openSuggestions, isForm}.
export function renderBlocks(blocks, place) {
  const out = [];
  const pictures = [];
  for (const block of blocks) {
    const element = tryBlock(block, place, pictures);
    // Pictures that follow one another stand side by side, as a grid.
    if (block.type === "image" && out.at(-1)?.classList?.contains("picture-row") && !place.isForm) {
      out.at(-1).append(element);
    } else if (block.type === "image" && !place.isForm) {
      out.push(h("div", { class: "picture-row" }, element));
    } else out.push(element);
  }
  return out;
}

// One block that can't be drawn doesn't take the others with it.
function tryBlock(block, place, pictures) {
  try {
    return renderBlock(block, place, pictures);
  } catch (error) {
    console.warn("A block couldn't be drawn", block, error);
    return h("div", { class: "unsupported" }, `This local workspace couldn't draw this “${block.type}” block.`);
  }
}

function renderBlock(block, place, pictures) {
  switch (block.type) {
    case "section": return section(block, place);
    case "header": return h("h3", { class: "block-header" }, plainText(block.text.text));
    case "divider": return h("hr", { class: "block-divider" });
    case "context": return h("div", { class: "block-context" }, block.elements.map((element) =>
      element.type === "image" ? smallImage(element, place, 20) : h("span", {}, textObject(element, place))));
    case "image": return imageBlock(block, place, pictures);
    case "actions": return h("div", { class: "block-actions" },
      block.elements.map((element) => actionElement(element, block, place)));
    case "input": return inputBlock(block, place);
    case "rich_text": return h("div", { class: "block-rich-text" }, richText(block, place.names));
    case "markdown": return h("div", { class: "block-section" }, mrkdwn(fromMarkdown(block.text), place.names));
    case "table": return table(block, place.names);
    case "alert": return h("div", { class: "block-alert", role: "note" }, textObject(block.text ?? {}, place));
    default: return h("div", { class: "unsupported" },
      `This local workspace can't show a “${block.type}” block. Slack can.`);
  }
}

export function textObject(text, place) {
  if (text.type === "mrkdwn") return mrkdwn(text.text, place.names);
  return text.text ? text.text.split("\n").flatMap((line, index) => [index ? h("br") : null, ...plainText(line)]) : [];
}

function section(block, place) {
  const body = h("div", { class: "block-section-text" });
  if (block.text) body.append(h("div", {}, textObject(block.text, place)));
  if (block.fields) {
    body.append(h("div", { class: "block-fields" }, block.fields.map((field) => h("div", {}, textObject(field, place)))));
  }
  const accessory = block.accessory;
  return h("div", { class: "block-section" }, body,
    accessory ? h("div", { class: "block-accessory" }, accessory.type === "image"
      ? smallImage(accessory, place, 88) : actionElement(accessory, block, place)) : null);
}

function pictureOf(image, place) {
  if (image.image_url) {
    return { url: image.image_url, download: image.image_url, name: image.alt_text || "Picture", alt: image.alt_text,
      width: image.image_width ?? 0, height: image.image_height ?? 0 };
  }
  const file = place.store.pictures.get(image.slack_file?.id ?? image.slack_file?.url);
  if (!file) return null;
  return { url: file.url_private, download: file.url_private_download, name: file.name, alt: image.alt_text,
    width: file.width, height: file.height };
}

function imageBlock(block, place, pictures) {
  const picture = pictureOf(block, place);
  if (!picture) return h("div", { class: "unsupported" }, "This picture is gone.");
  pictures.push(picture);
  return h("figure", { class: "block-image" },
    block.title ? h("figcaption", {}, plainText(block.title.text)) : null,
    pictureButton(picture, () => pictures, { most: 360, least: place.isForm ? 0 : 240 }));
}

function smallImage(image, place, size) {
  const picture = pictureOf(image, place);
  if (!picture) return h("span", { class: "muted" }, "[picture]");
  return h("img", { class: "small-image", src: picture.url, alt: image.alt_text, width: size, height: size });
}

function fromMarkdown(text) {
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  return escaped
    .replace(/^#{1,6}\s+(.*)$/gm, "*$1*")
    .replace(/\*\*(.+?)\*\*/g, "*$1*")
    .replace(/~~(.+?)~~/g, "~$1~")
    .replace(/\[([^\]]+)\]\((https?:[^)\s]+)\)/g, "<$2|$1>")
    .replace(/^[-*]\s+/gm, "•  ");
}
