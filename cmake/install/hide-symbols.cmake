# cmake -DARCHIVE=file -DAR= -DLINKER= -DOBJCOPY= -P: makes one object of a static library's
# members, in which only tvlm_* is visible.
set(whole "${ARCHIVE}.whole.o")
set(hidden "${ARCHIVE}.o")
# Groups are dissolved: what was one copy of many in the whole program is the library's own now.
execute_process(COMMAND "${LINKER}" -r --force-group-allocation --whole-archive "${ARCHIVE}"
  -o "${whole}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${OBJCOPY}" --wildcard "--keep-global-symbol=tvlm_*" "${whole}" "${hidden}"
  COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE "${ARCHIVE}")
execute_process(COMMAND "${AR}" rcs "${ARCHIVE}" "${hidden}" COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE "${whole}" "${hidden}")
