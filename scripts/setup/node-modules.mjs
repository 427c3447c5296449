// node_modules, exactly as package-lock.json says, whenever they are missing or older than it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from '../toolchain.mjs';
import { folderBytes, present, step } from './steps.mjs';

/** npm's own record of what it installed agrees with the lock: same packages, same versions. */
function upToDate() {
  const [wanted, installed] = [join(root, 'package-lock.json'), join(root, 'node_modules', '.package-lock.json')].map((path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : null));
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, { integrity, optional, link }]) => !path || link || (installed[path] ? installed[path].integrity === integrity : Boolean(optional)));
}

export async function setUpNodeModules() {
  if (upToDate()) return present('node modules', 'as in package-lock.json');
  await step('node modules (npm ci)', () => {
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true });
    const bytes = folderBytes(join(root, 'node_modules'));
    return `${(bytes / 1e6).toFixed(0)} MB on disk`;
  });
}
