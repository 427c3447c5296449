#import <TinyVLMSpec/TinyVLMSpec.h>

NS_ASSUME_NONNULL_BEGIN

/**
 * The native module of src/NativeTinyVLM.ts. Codegen's interfaces are C++, which Swift does not
 * read: what this does is to hand every call on to TinyVLMBridge.swift.
 */
@interface RCTTinyVLM : NativeTinyVLMSpecBase <NativeTinyVLMSpec>
@end

NS_ASSUME_NONNULL_END
