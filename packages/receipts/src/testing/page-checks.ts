/// <reference lib="dom" />
import type { Page } from 'playwright-core';
import type { Picture } from './decode-code.ts';

/**
 * The least contrast between any text of a page and what is behind it, as WCAG 2.2 defines it, from the colours that
 * the browser computed.
 */
export function leastContrast(page: Page): Promise<number> {
  return page.evaluate(() => {
    const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string) => {
      const [red = 0, green = 0, blue = 0] = channels(color).map((channel) => {
        const part = channel / 255;
        return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const background = (element: Element | null): string => {
      if (element === null)
        return matchMedia('(prefers-color-scheme: dark)').matches ? 'rgb(18,18,18)' : 'rgb(255,255,255)';
      const { backgroundColor } = getComputedStyle(element);
      return channels(backgroundColor)[3] === 0 ? background(element.parentElement) : backgroundColor;
    };
    const texts = [...document.body.querySelectorAll('*')].filter((element) =>
      [...element.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== '',
      ),
    );
    const contrasts = texts.map((element) => {
      const [one, other] = [luminance(getComputedStyle(element).color), luminance(background(element))];
      return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    });
    // A page without text has no contrast to be proud of.
    return Math.min(...contrasts, texts.length === 0 ? 0 : Infinity);
  });
}

/** Elements that reach beyond the left or right edge of the window, by their class or tag. */
export function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll('body, body *')].filter((element) => {
      const { left, right } = element.getBoundingClientRect();
      return (
        left < -0.5 ||
        right > width + 0.5 ||
        (element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1)
      );
    });
    const isWide = document.documentElement.scrollWidth > width;
    return [
      ...wide.map((element) => `${element.tagName}.${element.getAttribute('class') ?? ''}`),
      ...(isWide ? ['page'] : []),
    ];
  });
}

/** What is to be seen of an element, as pixels. The browser itself decodes its picture, on an empty page. */
export async function pixelsOf(page: Page, selector: string): Promise<Picture> {
  const png = (await page.locator(selector).screenshot()).toString('base64');
  const empty = await page.context().newPage();
  const { pixels, width, height } = await empty.evaluate(async (base64) => {
    const blob = new Blob([Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))]);
    const bitmap = await createImageBitmap(blob);
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context?.drawImage(bitmap, 0, 0);
    const { data = [] } = context?.getImageData(0, 0, bitmap.width, bitmap.height) ?? {};
    // As text, which travels much faster between the processes than a list of numbers.
    const text = Array.from(data, (byte) => String.fromCharCode(byte)).join('');
    return { pixels: btoa(text), width: bitmap.width, height: bitmap.height };
  }, png);
  await empty.close();
  return { data: Uint8ClampedArray.from(Buffer.from(pixels, 'base64')), width, height };
}
