# The libraries that other programs link, and `cmake --install`: the header, libtinyvlm.so and
# libtinyvlm.a, files for find_package(TinyVLM) and pkg-config, licences. docs/c-api.md tells how
# they are used.
#
#   TinyVLM::shared   libtinyvlm.so: exports what cpp/api/exports.txt lists and nothing else; with
#                     TINYVLM_JNI also the natives of mobile/android (cpp/api/exports-jni.txt)
#   TinyVLM::static   natively one archive of all layers and the libraries below them
#   TinyVLM::tinyvlm  the shared one where it is built, else the static one
#
# Under add_subdirectory or FetchContent the three targets are there without installing. The
# component `library` is all but the command line (`tools`).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(api_dir "${PROJECT_SOURCE_DIR}/cpp/api")
find_package(Threads REQUIRED)

set(exports_file "${api_dir}/exports.txt")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${exports_file}")
file(STRINGS "${exports_file}" exports)
if(TINYVLM_JNI)
  file(STRINGS "${api_dir}/exports-jni.txt" jni_exports)
  list(APPEND exports ${jni_exports})
endif()
file(STRINGS "${api_dir}/tinyvlm.h" TINYVLM_ABI_VERSION REGEX "^#define TVLM_ABI_VERSION ")
string(REGEX REPLACE "[^0-9]" "" TINYVLM_ABI_VERSION "${TINYVLM_ABI_VERSION}")

# What a C program that links the static library needs beside it.
set(system_libraries "")
foreach(library stdc++ c++)
  if(library IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
    list(APPEND system_libraries ${library})
  endif()
endforeach()
if(UNIX)
  list(APPEND system_libraries m)
endif()
if(CMAKE_THREAD_LIBS_INIT)
  string(REGEX REPLACE "^-l" "" thread_library "${CMAKE_THREAD_LIBS_INIT}")
  list(APPEND system_libraries ${thread_library})
elseif(UNIX AND NOT APPLE AND NOT ANDROID)
  list(APPEND system_libraries pthread)  # the same as -lc where libc has the threads
endif()
if(ANDROID)
  list(APPEND system_libraries log)
endif()

# ---- shared -----------------------------------------------------------------
# The functions of the interface are compiled into the library itself; the layers come from their
# archives as far as they are needed.
if(TINYVLM_BUILD_SHARED)
  add_library(tinyvlm_shared SHARED "${api_dir}/tinyvlm.cc")
  target_compile_options(tinyvlm_shared PRIVATE ${TINYVLM_WARNINGS}
    $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
  target_compile_definitions(tinyvlm_shared PRIVATE TVLM_BUILDING_SHARED
    TINYVLM_VERSION=${PROJECT_VERSION})
  target_link_libraries(tinyvlm_shared PRIVATE tinyvlm_api)
  if(TINYVLM_JNI)
    # The NDK has jni.h among its own headers; elsewhere, zig's builds for Android included, it
    # comes from a JDK, and is the same but for comments.
    if(NOT ANDROID OR TINYVLM_ZIG)
      file(GLOB jdks /usr/lib/jvm/*)
      find_path(TINYVLM_JNI_INCLUDE jni.h HINTS ENV JAVA_HOME PATHS ${jdks} PATH_SUFFIXES include
        NO_CMAKE_FIND_ROOT_PATH)
      if(NOT TINYVLM_JNI_INCLUDE)
        message(FATAL_ERROR "No jni.h under JAVA_HOME (\"$ENV{JAVA_HOME}\") or /usr/lib/jvm: "
          "install a JDK (Debian: default-jdk-headless), or name its folder with "
          "-DTINYVLM_JNI_INCLUDE=")
      endif()
      target_include_directories(tinyvlm_shared SYSTEM PRIVATE "${TINYVLM_JNI_INCLUDE}"
        "${TINYVLM_JNI_INCLUDE}/linux" "${TINYVLM_JNI_INCLUDE}/darwin")
    endif()
    target_sources(tinyvlm_shared PRIVATE
      "${PROJECT_SOURCE_DIR}/mobile/android/src/main/c/tinyvlm_jni.c")
  endif()
  target_include_directories(tinyvlm_shared INTERFACE "${api_dir}")
  set_target_properties(tinyvlm_shared PROPERTIES OUTPUT_NAME tinyvlm
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  if(NOT TINYVLM_JNI)  # System.loadLibrary finds libtinyvlm.so alone
    set_target_properties(tinyvlm_shared PROPERTIES
      VERSION ${PROJECT_VERSION} SOVERSION ${TINYVLM_ABI_VERSION})
  endif()
  if(APPLE)
    list(TRANSFORM exports PREPEND "_" OUTPUT_VARIABLE symbols)
    string(REPLACE ";" "\n" symbols "${symbols}")
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/exports.apple" CONTENT "${symbols}\n")
    target_link_options(tinyvlm_shared PRIVATE
      "LINKER:-exported_symbols_list,${PROJECT_BINARY_DIR}/exports.apple")
    set_target_properties(tinyvlm_shared PROPERTIES
      LINK_DEPENDS "${PROJECT_BINARY_DIR}/exports.apple")
  elseif(UNIX)
    string(REPLACE ";" "; " symbols "${exports}")
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/exports.map" CONTENT
      "TINYVLM_${TINYVLM_ABI_VERSION} { global: ${symbols}; local: *; };\n")
    target_link_options(tinyvlm_shared PRIVATE
      "LINKER:--version-script=${PROJECT_BINARY_DIR}/exports.map" "LINKER:--gc-sections")
    if(NOT TINYVLM_SANITIZE AND NOT TINYVLM_SANITIZE_THREADS)  # their runtime is in the program
      target_link_options(tinyvlm_shared PRIVATE "LINKER:--no-undefined")
    endif()
    set_target_properties(tinyvlm_shared PROPERTIES
      LINK_DEPENDS "${PROJECT_BINARY_DIR}/exports.map")
  endif()
  add_library(TinyVLM::shared ALIAS tinyvlm_shared)
endif()

# ---- static -----------------------------------------------------------------
# Inside the same build: the layers as they are.
add_library(tinyvlm_static INTERFACE)
target_link_libraries(tinyvlm_static INTERFACE $<LINK_ONLY:tinyvlm_api> ${system_libraries})
target_include_directories(tinyvlm_static INTERFACE "${api_dir}")
target_compile_definitions(tinyvlm_static INTERFACE TVLM_STATIC)
add_library(TinyVLM::static ALIAS tinyvlm_static)
if(TINYVLM_BUILD_SHARED)
  add_library(TinyVLM::tinyvlm ALIAS tinyvlm_shared)
else()
  add_library(TinyVLM::tinyvlm ALIAS tinyvlm_static)
endif()

# Appends to `found` the static libraries of this build that `target` links, itself included.
function(tinyvlm_collect_archives target found)
  if(NOT TARGET ${target})
    return()
  endif()
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL STATIC_LIBRARY OR target IN_LIST ${found})
    return()
  endif()
  list(APPEND ${found} ${target})
  get_target_property(links ${target} LINK_LIBRARIES)
  foreach(link IN LISTS links)
    tinyvlm_collect_archives("${link}" ${found})
  endforeach()
  set(${found} "${${found}}" PARENT_SCOPE)
endfunction()

if(NOT TINYVLM_INSTALL)
  return()
endif()

# For programs outside: one archive. Where linker and objcopy can do it, only the functions of the
# interface are visible in it, so that a program may link another protobuf or zlib beside it.
set(can_hide OFF)
if(CMAKE_OBJCOPY AND CMAKE_LINKER AND UNIX AND NOT APPLE)
  execute_process(COMMAND "${CMAKE_LINKER}" --help OUTPUT_VARIABLE linker_help ERROR_QUIET)
  if(linker_help MATCHES "--force-group-allocation")
    set(can_hide ON)
  endif()
endif()
set(archives "")
tinyvlm_collect_archives(tinyvlm_api archives)
set(objects "")
foreach(archive IN LISTS archives)
  list(APPEND objects "$<TARGET_OBJECTS:${archive}>")
endforeach()
add_library(tinyvlm_archive STATIC ${objects})
add_dependencies(tinyvlm_archive ${archives})
set_target_properties(tinyvlm_archive PROPERTIES LINKER_LANGUAGE CXX OUTPUT_NAME tinyvlm
  ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
if(can_hide)
  # Not a command with an OUTPUT: CMake refuses those in a folder whose name has a #.
  add_custom_command(TARGET tinyvlm_archive POST_BUILD
    COMMAND "${CMAKE_COMMAND}" "-DARCHIVE=$<TARGET_FILE:tinyvlm_archive>" "-DAR=${CMAKE_AR}"
            "-DLINKER=${CMAKE_LINKER}" "-DOBJCOPY=${CMAKE_OBJCOPY}"
            -P "${CMAKE_CURRENT_LIST_DIR}/install/hide-symbols.cmake" VERBATIM)
endif()

# ---- install ----------------------------------------------------------------
install(FILES "${api_dir}/tinyvlm.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT library)
install(TARGETS tinyvlm_archive ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library)
if(TINYVLM_BUILD_SHARED)
  install(TARGETS tinyvlm_shared
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library NAMELINK_COMPONENT library
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT library
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library)
endif()
if(TARGET tiny-vlm)
  install(TARGETS tiny-vlm RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/TinyVLM")
set(shared_file "")
if(TINYVLM_BUILD_SHARED)
  set(shared_file "${CMAKE_SHARED_LIBRARY_PREFIX}tinyvlm${CMAKE_SHARED_LIBRARY_SUFFIX}")
endif()
set(static_file "${CMAKE_STATIC_LIBRARY_PREFIX}tinyvlm${CMAKE_STATIC_LIBRARY_SUFFIX}")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/install/TinyVLMConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/TinyVLMConfig.cmake"
  INSTALL_DESTINATION "${package_dir}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/TinyVLMConfigVersion.cmake" COMPATIBILITY
  SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/TinyVLMConfig.cmake"
  "${PROJECT_BINARY_DIR}/TinyVLMConfigVersion.cmake" DESTINATION "${package_dir}" COMPONENT library)

# Relative, so that an installed folder can be moved.
file(RELATIVE_PATH prefix_from_pc "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
list(TRANSFORM system_libraries PREPEND "-l" OUTPUT_VARIABLE private_flags)
string(REPLACE ";" " " private_flags "${private_flags}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/install/tinyvlm.pc.in" "${PROJECT_BINARY_DIR}/tinyvlm.pc"
  @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/tinyvlm.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
  COMPONENT library)

# The licences of what is compiled into the libraries, from its sources.
set(notices
  "Tiny-VLM is licensed under Apache-2.0 (LICENSE). Its libraries contain parts of the works below.\n")
string(JSON count LENGTH "${TINYVLM_DEPS_LOCK}" sources)
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON name MEMBER "${TINYVLM_DEPS_LOCK}" sources ${i})
  string(JSON files ERROR_VARIABLE none GET "${TINYVLM_DEPS_LOCK}" sources ${name} notices)
  if(none OR NOT DEFINED ${name}_DIR)
    continue()
  endif()
  string(JSON version GET "${TINYVLM_DEPS_LOCK}" sources ${name} version)
  string(JSON license GET "${TINYVLM_DEPS_LOCK}" sources ${name} license)
  string(APPEND notices "\n${name} ${version} (${license})\n")
  string(JSON files_count LENGTH "${files}")
  math(EXPR files_last "${files_count} - 1")
  foreach(j RANGE ${files_last})
    string(JSON file GET "${files}" ${j})
    file(READ "${${name}_DIR}/${file}" text)
    string(APPEND notices "\n${text}\n")
  endforeach()
endforeach()
file(WRITE "${PROJECT_BINARY_DIR}/THIRD-PARTY-NOTICES.txt" "${notices}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_BINARY_DIR}/THIRD-PARTY-NOTICES.txt"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT library)
