/** What became of the scan of one message. Only a scanner's own word makes it clean. */
export type ScanVerdict =
  | { readonly kind: "clean"; readonly server: string; readonly version: string }
  | {
      readonly kind: "infected";
      readonly names: readonly string[];
      readonly server: string;
      readonly version: string;
    }
  /** Too large for the scanner, or over one of its limits: neither clean nor infected. */
  | { readonly kind: "oversize"; readonly reason: string; readonly server: string | null }
  /** No scanner gave a verdict. `reason` is for the log, `header` for `Not Scanned - …`, if there is more to say. */
  | {
      readonly kind: "failed";
      readonly reason: string;
      readonly header: string | null;
      readonly server: string | null;
    };
