/** A piece of text of a PDF and where it stands, in points from the upper left corner of its page. */
export interface PlacedText {
  readonly text: string;
  readonly page: number;
  readonly left: number;
  readonly right: number;
  /** Of its base line. */
  readonly y: number;
  readonly height: number;
}
