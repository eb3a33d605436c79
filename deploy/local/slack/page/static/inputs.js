// Input blocks: a label, an element, a hint, and what is wrong with it.
import { append, h, icon, iconButton, replaceChildren } from "./dom.js";
import { control, initialOf } from "./elements.js";
import { plainText } from "./mrkdwn.js";

const TEXT_TYPES = {
  plain_text_input: "text", number_input: "text", email_text_input: "email", url_text_input: "url", rich_text_input: "text",
};
const MAX_FILES = 10;
const MAX_FILE_BYTES = 10 * 1024 * 1024;

export function inputBlock(block, place) {
  const element = block.element;
  const error = place.errors?.[block.block_id];
  const id = `field-${place.key}-${block.block_id}`;
  const act = block.dispatch_action ? (value) => place.act(block, element, value) : undefined;
  let field;
  if (TEXT_TYPES[element.type]) field = textField(element, block, place, act);
  else if (element.type === "file_input") field = fileField(element, block, place);
  else field = control(element, block, place, act);
  if (!field) return h("div", { class: "unsupported" }, `This local workspace can't show a “${element.type}”. Slack can.`);
  field.id = id;
  field.dataset.block = block.block_id;
  if (error) field.setAttribute("aria-describedby", `${id}-error`);
  return h("div", { class: `input-block${error ? " has-error" : ""}` },
    h("label", { for: id }, plainText(block.label.text), block.optional ? h("span", { class: "muted" }, " (optional)") : null),
    field,
    error ? h("div", { class: "field-error", id: `${id}-error`, role: "alert" }, error) : null,
    block.hint ? h("div", { class: "field-hint" }, plainText(block.hint.text)) : null);
}

function textField(element, block, place, act) {
  const isArea = element.multiline || element.type === "rich_text_input";
  const given = place.valueOf(block, element);
  const asText = (value) => (typeof value === "object" && value ? fromRich(value) : value ?? "");
  const asGiven = (text) => (element.type === "rich_text_input" ? toRich(text) : text);
  const triggers = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const field = h(isArea ? "textarea" : "input", {
    class: "field", type: isArea ? null : TEXT_TYPES[element.type], rows: isArea ? 4 : null,
    inputmode: element.type === "number_input" ? (element.is_decimal_allowed ? "decimal" : "numeric") : null,
    placeholder: element.placeholder?.text, maxlength: element.max_length, autocomplete: "off",
    value: asText(given !== undefined ? given : initialOf(element)),
    autofocus: Boolean(element.focus_on_load),
    oninput: () => {
      place.setValue(block, element, asGiven(field.value));
      if (act && triggers.includes("on_character_entered")) act(asGiven(field.value));
    },
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.isComposing || isArea) return;
      event.preventDefault();
      if (act && triggers.includes("on_enter_pressed")) act(asGiven(field.value));
      else place.submit?.();
    },
  });
  return field;
}

function toRich(text) {
  if (!text) return null;
  return { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }] };
}

function fromRich(value) {
  return (value.elements ?? []).flatMap((section) => section.elements ?? []).map((piece) => piece.text ?? "").join("");
}

function fileField(element, block, place) {
  const most = element.max_files ?? MAX_FILES;
  const types = (element.filetypes ?? []).map((type) => type.toLowerCase().replace(/^\./, ""));
  const accept = types.map((type) => `.${type}`).join(",");
  const list = h("div", { class: "file-list" });
  const note = h("div", { class: "field-error", role: "alert" });
  const chooser = h("input", { type: "file", multiple: most > 1, accept, class: "visually-hidden", "aria-label": block.label.text,
    onchange: () => {
      take([...chooser.files]);
      chooser.value = "";
    } });
  const box = h("div", { class: "file-input" },
    h("div", { class: "file-drop" }, icon("clip"),
      h("button", { type: "button", class: "link-button", onclick: () => chooser.click() }, "Choose files"),
      " or drop them here", h("span", { class: "muted" }, ` · up to ${most}`)),
    chooser, note, list);
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("is-over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("is-over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("is-over");
    take([...event.dataTransfer.files]);
  });

  const ids = () => place.valueOf(block, element) ?? [];

  function paint() {
    replaceChildren(list, ids().map((id) => {
      const file = place.store.uploads.get(id);
      return h("div", { class: "file-chip" }, icon("file"), h("span", {}, file?.name ?? id),
        iconButton("close", `Remove ${file?.name ?? id}`, () => {
          place.setValue(block, element, ids().filter((other) => other !== id));
          paint();
        }));
    }));
  }

  async function take(files) {
    replaceChildren(note);
    for (const file of files) {
      if (ids().length >= most) return void replaceChildren(note, `At most ${most} files.`);
      // The chooser offers only what fits, but files are dropped too. What is refused doesn't keep the others away.
      if (types.length && !types.includes(file.name.split(".").at(-1).toLowerCase())) {
        append(note, [h("div", {}, `${file.name} is not one of these types: ${types.join(", ")}.`)]);
        continue;
      }
      if (file.size > MAX_FILE_BYTES) {
        append(note, [h("div", {}, `${file.name} is larger than 10 MB.`)]);
        continue;
      }
      const busy = h("div", { class: "file-chip is-busy" }, icon("file"), file.name);
      append(list, [busy]);
      try {
        const uploaded = await place.store.api.upload(file);
        place.store.uploads.set(uploaded.id, uploaded);
        place.setValue(block, element, [...ids(), uploaded.id]);
      } catch (error) {
        replaceChildren(note, `${file.name} couldn't be uploaded: ${error.message}`);
      }
      paint();
    }
  }

  paint();
  return box;
}
