// The project ends here, although the repository around it has a lock file, too.
export default { turbopack: { root: import.meta.dirname } };
