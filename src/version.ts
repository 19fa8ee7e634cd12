/** Put in by scripts/build; what is run from source says so. */
declare const CLAMAV_MILTER_VERSION: string | undefined;

/** The version of this program. */
export const VERSION: string =
  typeof CLAMAV_MILTER_VERSION === "string" ? CLAMAV_MILTER_VERSION : "0.0.0-source";
