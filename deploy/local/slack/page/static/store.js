// What this tab knows: who acts, the workspace, the messages it has seen. Changes arrive by the stream.

export class Store extends EventTarget {
  constructor(api) {
    super();
    this.api = api;
    this.members = new Map();
    this.channels = new Map();
    this.messages = new Map(); // channel id -> Map(ts -> message), once the channel was opened
    this.threads = new Map(); // parent ts -> Map(ts -> message), once the thread was opened
    this.statuses = new Map(); // "channel thread_ts" -> text
    this.pictures = new Map(); // file id or url -> {url_private, width, height, ...}
    this.views = [];
    this.home = null;
    this.connection = "live";
  }

  async load() {
    const state = await this.api.get("/state");
    // Another run of the workspace on the same port: it knows neither this page's session nor its messages.
    if (this.run && this.run !== state.run) location.reload();
    this.run = state.run;
    this.keepPictures(state);
    this.number = state.number;
    this.me = state.me;
    this.team = state.team;
    this.app = state.app;
    this.members = new Map(state.members.map((member) => [member.id, member]));
    this.channels = new Map(state.channels.map((channel) => [channel.id, channel]));
    this.statuses = new Map(state.statuses.map((entry) => [`${entry.channel} ${entry.thread_ts}`, entry.status]));
    this.views = state.views;
    this.home = state.home;
  }

  async reload() {
    await this.load();
    await Promise.allSettled([
      ...[...this.messages.keys()].map((channel) => this.loadMessages(channel)),
      ...[...this.threads.entries()].map(([ts, thread]) => this.loadThread(thread.channel, ts)),
    ]);
    this.tell("everything");
  }

  async loadMessages(channel) {
    const answer = await this.api.get("/messages", { channel });
    this.keepPictures(answer);
    this.messages.set(channel, new Map(answer.messages.map((message) => [message.ts, message])));
  }

  async loadThread(channel, ts) {
    const answer = await this.api.get("/messages", { channel, thread_ts: ts });
    this.keepPictures(answer);
    const thread = new Map(answer.messages.map((message) => [message.ts, message]));
    thread.channel = channel;
    this.threads.set(ts, thread);
  }

  keepPictures(body) {
    for (const [key, picture] of Object.entries(body.pictures ?? {})) {
      this.pictures.set(key, {
        ...picture, url_private: onThisPage(picture.url_private), url_private_download: onThisPage(picture.url_private_download),
      });
    }
  }

  tell(kind, detail = {}) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  // One change from the stream.
  apply(change) {
    this.keepPictures(change);
    const { kind } = change;
    if (kind === "message" || kind === "message_changed") this.put(change.channel, change.message, kind === "message");
    else if (kind === "message_deleted") this.drop(change.channel, change.ts);
    else if (kind === "ephemeral" || kind === "ephemeral_changed") this.put(change.channel, change, kind === "ephemeral");
    else if (kind === "ephemeral_deleted") this.drop(change.channel, change.ts);
    else if (kind === "status") this.setStatus(change);
    else if (kind === "views") {
      this.views = change.views;
      this.home = change.home;
      this.tell("views");
    } else if (kind === "app") this.reload();
    else if (["channel", "member"].includes(kind)) this.load().then(() => this.tell("everything"));
  }

  put(channelId, message, isNew) {
    const channel = this.channels.get(channelId);
    if (!channel) return void this.load().then(() => this.tell("everything"));
    const isTopLevel = !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";
    const isEphemeralInThread = message.is_ephemeral && message.thread_ts;
    if (isTopLevel && !isEphemeralInThread) this.messages.get(channelId)?.set(message.ts, message);
    const parent = message.thread_ts ?? message.ts;
    this.threads.get(parent)?.set(message.ts, message);
    if (isNew && message.ts > channel.latest) channel.latest = message.ts;
    if (isNew && isTopLevel && message.user !== this.me && !message.is_ephemeral) {
      channel.unread += 1;
      this.tell("sidebar");
    }
    this.tell("messages", { channel: channelId, thread: parent, isNew });
  }

  drop(channelId, ts) {
    this.messages.get(channelId)?.delete(ts);
    for (const thread of this.threads.values()) thread.delete(ts);
    this.tell("messages", { channel: channelId, thread: ts });
  }

  setStatus({ channel, thread_ts: thread, status }) {
    const key = `${channel} ${thread}`;
    if (status) this.statuses.set(key, status);
    else this.statuses.delete(key);
    this.tell("messages", { channel, thread });
  }

  status(channel, thread) {
    return this.statuses.get(`${channel} ${thread}`) ?? "";
  }

  listOf(channel) {
    return sorted(this.messages.get(channel));
  }

  thread(ts) {
    return sorted(this.threads.get(ts));
  }

  member(id) {
    return this.members.get(id) ?? null;
  }

  channel(id) {
    return this.channels.get(id) ?? null;
  }

  nameOf(id) {
    if (id === "USLACKBOT") return "Slackbot";
    const member = this.member(id);
    if (!member) return "Somebody";
    return member.is_bot ? member.real_name : member.profile.display_name || member.real_name;
  }

  fullNameOf(id) {
    return this.member(id)?.real_name ?? this.nameOf(id);
  }

  channelTitle(channel) {
    return channel.is_im ? this.fullNameOf(channel.user) : channel.name;
  }

  get isGuest() {
    return Boolean(this.member(this.me)?.is_restricted);
  }

  markRead(channelId) {
    const channel = this.channels.get(channelId);
    if (!channel || (!channel.unread && channel.last_read >= channel.latest)) return;
    channel.last_read = channel.latest;
    const had = channel.unread;
    channel.unread = 0;
    this.api.send("/read", { channel: channelId, ts: channel.latest }).catch(() => {});
    if (had) this.tell("sidebar");
  }
}

// A private file by this page's own address: it may be open as localhost, or through a tunnel.
export function onThisPage(url) {
  return new URL(url, location.href).pathname;
}

function sorted(messages) {
  return [...(messages?.values() ?? [])].sort((one, other) => (one.ts < other.ts ? -1 : 1));
}
