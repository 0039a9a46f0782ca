// Spectrograms: 32 ms Hann windows, drawn in dB below the loudest bin of all signals of a file.
const RANGE_DB = 75;
const palette = (() => {
  const stops = [[2, 2, 10], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122],
    [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191]];
  return Array.from({ length: 256 }, (_, level) => {
    const at = (level / 255) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    return stops[low].map((from, i) => from + (at - low) * (stops[low + 1][i] - from));
  });
})();

function transform(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i += 1) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let half = 1; half < size; half *= 2) {
    for (let k = 0; k < half; k += 1) {
      const cosine = Math.cos((Math.PI * k) / half);
      const sine = -Math.sin((Math.PI * k) / half);
      for (let i = k; i < size; i += 2 * half) {
        const j = i + half;
        const re = real[j] * cosine - imaginary[j] * sine;
        const im = real[j] * sine + imaginary[j] * cosine;
        real[j] = real[i] - re;
        imaginary[j] = imaginary[i] - im;
        real[i] += re;
        imaginary[i] += im;
      }
    }
  }
}

function levels(samples, rate, columnCount) {
  const size = 2 ** Math.round(Math.log2(0.032 * rate));
  const window = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
  const bins = size / 2;
  const found = new Float32Array(columnCount * bins);
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  for (let column = 0; column < columnCount; column += 1) {
    const start = Math.round(((column + 0.5) / columnCount) * samples.length - size / 2);
    for (let i = 0; i < size; i += 1) real[i] = (samples[start + i] ?? 0) * window[i];
    imaginary.fill(0);
    transform(real, imaginary);
    for (let bin = 0; bin < bins; bin += 1) {
      found[column * bins + bin] = 10 * Math.log10(real[bin] ** 2 + imaginary[bin] ** 2 + 1e-14);
    }
  }
  return { bins, columnCount, found };
}

function loudest(spectrum) {
  return spectrum.found.reduce((most, level) => Math.max(most, level), -Infinity);
}

function paint(target, spectrum, top) {
  const { bins, columnCount, found } = spectrum;
  const image = new ImageData(columnCount, bins);
  for (let column = 0; column < columnCount; column += 1) {
    for (let bin = 0; bin < bins; bin += 1) {
      const level = Math.max(0, Math.min(1, 1 + (found[column * bins + bin] - top) / RANGE_DB));
      image.data.set(palette[Math.round(255 * level)], 4 * ((bins - 1 - bin) * columnCount + column));
      image.data[4 * ((bins - 1 - bin) * columnCount + column) + 3] = 255;
    }
  }
  target.width = columnCount;
  target.height = bins;
  target.getContext("2d").putImageData(image, 0, 0);
}
