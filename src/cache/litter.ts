/** What systems and file managers leave in folders by themselves: it belongs to nobody, and spoils nothing. */
export function isLitter(name: string): boolean {
  return LITTER.test(name);
}

/** macOS, Windows, KDE; files that NFS and FUSE keep while somebody has them open. */
const LITTER = /^(\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.directory|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+)$/i;
