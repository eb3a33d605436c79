// Block Kit's interactive elements: buttons, menus, selects, pickers, choices.
import { h, icon } from "./dom.js";
import { confirmWith, showMenu, toast } from "./menus.js";
import { mrkdwn, plainText } from "./mrkdwn.js";
import { needsFilter, selectBox } from "./select_box.js";

const PICKER_TYPES = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local" };

// An element in an actions or section block: choosing or pressing tells the app at once.
export function actionElement(element, block, place) {
  const act = async (value, source) => {
    if (element.confirm && !(await ask(element.confirm, place))) return;
    source?.classList.add("is-busy");
    source?.setAttribute("aria-busy", "true");
    try {
      const outcome = await place.act(block, element, value);
      if (!outcome.ok) toast(`${place.store.app.name} didn't answer (${outcome.error}).`);
    } catch (error) {
      toast(error.message);
    } finally {
      source?.classList.remove("is-busy");
      source?.removeAttribute("aria-busy");
    }
  };
  if (element.type === "button" || element.type === "workflow_button") {
    const style = { primary: " is-primary", danger: " is-danger" }[element.style] ?? "";
    const button = h("button", {
      type: "button", class: `button${style}`, "aria-label": element.accessibility_label,
      onclick: () => {
        if (element.url && /^https?:\/\//.test(element.url)) open(element.url, "_blank", "noreferrer");
        act(undefined, button);
      },
    }, plainText(element.text.text));
    return button;
  }
  if (element.type === "overflow") {
    const button = h("button", {
      type: "button", class: "button is-square", "aria-label": "More actions", "aria-haspopup": "menu",
      onclick: () => showMenu(button, element.options.map((option) => ({
        label: option.text.text, hint: option.description?.text, onchoose: () => act(option, button),
      })), { label: "More actions" }),
    }, icon("more"));
    return button;
  }
  const shown = control(element, block, place, (given) => act(given, shown));
  return shown ?? h("div", { class: "unsupported" }, `This local workspace can't show a “${element.type}”. Slack can.`);
}

// The control of an element; `onchange` gets what was given. Null for a type that isn't known here.
export function control(element, block, place, onchange) {
  const given = place.valueOf(block, element);
  const label = block.label?.text ?? element.placeholder?.text ?? "";
  const keep = (value) => {
    place.setValue(block, element, value);
    onchange?.(value);
  };
  const select = /^(multi_)?(static|external|users|conversations|channels)_select$/.exec(element.type);
  if (select) return selectControl(element, block, place, Boolean(select[1]), select[2], given, label, keep);
  if (element.type === "radio_buttons" || element.type === "checkboxes") return choices(element, block, place, given, label, keep);
  if (PICKER_TYPES[element.type]) return picker(element, given, label, keep);
  return null;
}

function selectControl(element, block, place, multiple, source, given, label, keep) {
  const named = namedOptions(source, place);
  const initial = given !== undefined ? given : initialOf(element);
  const asOption = (value) => (typeof value === "string" ? named.find((option) => option.value === value) : value);
  const chosen = multiple ? (initial ?? []).map(asOption).filter(Boolean) : asOption(initial);
  const back = (option) => (named.length ? option?.value : option);
  return selectBox({
    label, multiple, chosen, placeholder: element.placeholder?.text, most: element.max_selected_items,
    hasFilter: source === "external" || needsFilter((source === "static" ? groupsOf(element).flatMap((group) => group.options) : named).length),
    minQuery: source === "external" ? element.min_query_length ?? 3 : 0,
    load: (query) => (source === "external" ? suggestions(element, block, place, query) : Promise.resolve(
      filtered(source === "static" ? groupsOf(element) : [{ label: "", options: named }], query))),
    onchange: (value) => keep(multiple ? value.map(back) : back(value)),
  });
}

function namedOptions(source, { store }) {
  const option = (value, text) => ({ value, text: { type: "plain_text", text } });
  if (source === "users") return [...store.members.values()].map((member) => option(member.id, `@${store.nameOf(member.id)}`));
  if (source === "channels" || source === "conversations") {
    return [...store.channels.values()].filter((channel) => !channel.is_im).map((channel) => option(channel.id, `#${channel.name}`));
  }
  return [];
}

function groupsOf(element) {
  if (element.option_groups) return element.option_groups.map((group) => ({ label: group.label.text, options: group.options }));
  return [{ label: "", options: element.options ?? [] }];
}

function filtered(groups, query) {
  const wanted = query.toLowerCase();
  return groups
    .map((group) => ({ ...group, options: group.options.filter((option) => option.text.text.toLowerCase().includes(wanted)) }))
    .filter((group) => group.options.length);
}

async function suggestions(element, block, place, query) {
  const answer = await place.suggest(block, element, query);
  if (!answer.ok) throw new Error(`Results couldn't be loaded (${answer.error}).`);
  if (answer.option_groups) return answer.option_groups.map((group) => ({ label: group.label.text, options: group.options }));
  return [{ label: "", options: answer.options }];
}

export function initialOf(element) {
  for (const key of ["initial_option", "initial_options", "initial_user", "initial_users", "initial_channel",
    "initial_channels", "initial_conversation", "initial_conversations", "initial_date", "initial_time",
    "initial_date_time", "initial_value"]) {
    if (element[key] !== undefined && element[key] !== null) return element[key];
  }
  return undefined;
}

function choices(element, block, place, given, label, keep) {
  const isMany = element.type === "checkboxes";
  const initial = given !== undefined ? given : initialOf(element);
  let chosen = isMany ? [...(initial ?? [])] : initial;
  const name = `${place.key}-${block.block_id}-${element.action_id}`;
  return h("div", { class: "choices", role: isMany ? "group" : "radiogroup", "aria-label": label },
    element.options.map((option) => h("label", { class: "choice" },
      h("input", {
        type: isMany ? "checkbox" : "radio", name,
        checked: isMany ? chosen.some((other) => other.value === option.value) : chosen?.value === option.value,
        onchange: (event) => {
          if (!isMany) chosen = option;
          else if (event.target.checked) chosen = [...chosen, option];
          else chosen = chosen.filter((other) => other.value !== option.value);
          keep(chosen);
        },
      }),
      h("span", {}, option.text.type === "mrkdwn" ? mrkdwn(option.text.text, place.names) : plainText(option.text.text),
        option.description ? h("span", { class: "choice-note" }, plainText(option.description.text)) : null))));
}

function picker(element, given, label, keep) {
  const type = PICKER_TYPES[element.type];
  const initial = given !== undefined ? given : initialOf(element);
  const isMoment = type === "datetime-local";
  const pad = (number) => String(number).padStart(2, "0");
  const local = (seconds) => {
    const date = new Date(seconds * 1000);
    return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
  };
  return h("input", {
    type, class: "field is-picker", "aria-label": label, value: isMoment && initial ? local(initial) : initial ?? "",
    onchange: (event) => keep(isMoment ? Math.round(new Date(event.target.value).getTime() / 1000) : event.target.value),
  });
}

async function ask(confirm, place) {
  return confirmWith({
    title: confirm.title.text,
    text: confirm.text.type === "mrkdwn" ? mrkdwn(confirm.text.text, place.names) : plainText(confirm.text.text),
    confirm: confirm.confirm.text,
    deny: confirm.deny.text,
    isDanger: confirm.style === "danger",
  });
}
