// Takes back what a file of protobuf-lite defined. No include guard: it is for every file anew.
#ifdef PROTOBUF_NAMESPACE
#include <google/protobuf/port_undef.inc>
#endif
