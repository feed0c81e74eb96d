// The npm packages of Node itself name their platform as a text where pnpm expects a list, and without a list pnpm would
// install the Node of every platform.
const listOf = (value) => (typeof value === 'string' ? [value] : value);

module.exports = {
  hooks: {
    readPackage: (manifest) => {
      if (typeof manifest.os !== 'string' && typeof manifest.cpu !== 'string') return manifest;
      return { ...manifest, os: listOf(manifest.os), cpu: listOf(manifest.cpu) };
    },
  },
};
