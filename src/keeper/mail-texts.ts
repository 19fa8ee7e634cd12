import type { MailTexts } from "../ipc/notice-messages.ts";
import type { Log } from "../log/log.ts";
import type { NoticeTemplate } from "../notify/notice.ts";
import { macrosOf, wantsHeaders } from "../notify/template.ts";
import { parseTemplateHeaders } from "../notify/template-headers.ts";

/** Files that mail of ours and signatures are made from; null: there is none. */
export interface TextFiles {
  readonly template: string | null;
  readonly templateHeaders: string | null;
  /** Whether mail is signed; `file` null: with the built-in text. */
  readonly signature: { readonly file: string | null } | null;
}

/** What reading them needs of the system. */
export interface TextEdge {
  /** A file's text, one character a byte. @throws Error when it cannot be read */
  read(path: string): string;
  /** A text that changes when the file does. Never throws. */
  stamp(path: string): string;
}

/** Decisions 5; the two dashes and a blank are what mail programs know a signature by (RFC 3676, 4.3). */
const BUILT_IN_SIGNATURE = "-- \nScanned for viruses with ClamAV.\n";
/** Characters of a signature, and bytes of a template. */
const LONGEST_SIGNATURE = 16 * 1024;
const LONGEST_TEMPLATE = 256 * 1024;

/** Keeps the texts as they are on the disk; one that cannot be read any more stays as it was. */
export class WatchedTexts {
  readonly #edge: TextEdge;
  readonly #log: Log;
  #files: TextFiles = { template: null, templateHeaders: null, signature: null };
  #stamp = "";
  #template: NoticeTemplate | null = null;
  #signature: string | null = null;

  constructor(files: TextFiles, edge: TextEdge, log: Log) {
    this.#edge = edge;
    this.#log = log;
    this.renew(files);
  }

  /** The administrator's own text of notices, or null. */
  get template(): NoticeTemplate | null {
    return this.#template;
  }

  /** Whether the template has a place for the message's header. */
  get wantsHeaders(): boolean {
    return this.#template !== null && wantsHeaders(this.#template.text);
  }

  /** What children need. */
  get texts(): MailTexts {
    const macros = this.#template === null ? [] : macrosOf(this.#template.text);
    return { signature: this.#signature, macros, wantsHeaders: this.wantsHeaders };
  }

  /** Takes other files, after SIGHUP. */
  renew(files: TextFiles): void {
    this.#files = files;
    this.#stamp = "";
    this.look();
  }

  /** Reads anew what has changed; answers whether anything did. To be called now and then. */
  look(): boolean {
    const { template, templateHeaders, signature } = this.#files;
    const paths = [template, templateHeaders, signature?.file ?? null];
    const stamp = JSON.stringify([paths, paths.map((path) => (path === null ? "" : this.#edge.stamp(path)))]);
    if (stamp === this.#stamp) return false;
    this.#stamp = stamp;
    const fields = this.#reading(templateHeaders, (path) =>
      parseTemplateHeaders(this.#edge.read(path).slice(0, LONGEST_TEMPLATE)),
    );
    const text = this.#reading(template, (path) => this.#edge.read(path).slice(0, LONGEST_TEMPLATE));
    if (template === null) this.#template = null;
    else if (text !== null || this.#template !== null) {
      const before = this.#template ?? { text: "", fields: [] };
      this.#template = { text: text ?? before.text, fields: fields ?? before.fields };
    }
    this.#signature = this.#readSignature();
    return true;
  }

  #readSignature(): string | null {
    const { signature } = this.#files;
    if (signature === null) return null;
    if (signature.file === null) return BUILT_IN_SIGNATURE;
    const bytes = this.#reading(signature.file, (path) => this.#edge.read(path));
    if (bytes === null) return this.#signature;
    const text = Buffer.from(bytes, "latin1").toString("utf8");
    return (text.includes("\ufffd") ? bytes : text).slice(0, LONGEST_SIGNATURE);
  }

  #reading<T>(path: string | null, read: (path: string) => T): T | null {
    if (path === null) return null;
    try {
      return read(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log("error", `${path} cannot be used: ${reason}`);
      return null;
    }
  }
}
