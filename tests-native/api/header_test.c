/* The header is C99 by itself; compiled with -std=c99 -Wall -Wextra -pedantic -Werror. */
#include "api/tinyvlm.h"

int tinyvlm_header_is_c(void);

int tinyvlm_header_is_c(void) {
  const tvlm_code code = TVLM_OK;
  const tvlm_run_state state = TVLM_DONE;
  return code == TVLM_OK && state == TVLM_DONE && tvlm_abi_version() == TVLM_ABI_VERSION;
}
