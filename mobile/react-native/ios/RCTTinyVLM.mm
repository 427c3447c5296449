#import "RCTTinyVLM.h"

#import <React/RCTImageLoaderProtocol.h>
#import <React/RCTInvalidating.h>

// CocoaPods puts the header of a pod's Swift elsewhere for frameworks than for libraries.
#if __has_include(<react_native_tiny_vlm/react_native_tiny_vlm-Swift.h>)
#import <react_native_tiny_vlm/react_native_tiny_vlm-Swift.h>
#else
#import "react_native_tiny_vlm-Swift.h"
#endif

// More pixels than this along a side tell the model nothing.
static const CGFloat kLargestSide = 2048;

@interface RCTTinyVLM () <RCTInvalidating>
@end

@implementation RCTTinyVLM {
  TinyVLMBridge *_bridge;
}

@synthesize moduleRegistry = _moduleRegistry;

RCT_EXPORT_MODULE(TinyVLM)

+ (BOOL)requiresMainQueueSetup {
  return NO;
}

- (instancetype)init {
  if (self = [super init]) {
    __weak RCTTinyVLM *weakSelf = self;
    _bridge = [[TinyVLMBridge alloc]
        initOnText:^(NSDictionary *event) {
          [weakSelf emitOnText:event];
        }
        onProgress:^(NSDictionary *event) {
          [weakSelf emitOnProgress:event];
        }
        loadImage:^(NSURL *url, void (^done)(UIImage *, NSError *)) {
          RCTTinyVLM *module = weakSelf;
          if (module == nil) {
            done(nil, nil);
          } else {
            [module loadImage:url then:done];
          }
        }];
  }
  return self;
}

// By React Native's own loaders and those of the app's packages: they know ph: and the like.
- (void)loadImage:(NSURL *)url then:(void (^)(UIImage *, NSError *))done {
  id<RCTImageLoaderProtocol> loader = [self.moduleRegistry moduleForName:"ImageLoader"];
  if (loader == nil) {
    done(nil, nil);
    return;
  }
  [loader loadImageWithURLRequest:[NSURLRequest requestWithURL:url]
                             size:CGSizeMake(kLargestSide, kLargestSide)
                            scale:1
                          clipped:NO
                       resizeMode:RCTResizeModeContain
                    progressBlock:nil
                 partialLoadBlock:nil
                  completionBlock:^(NSError *error, UIImage *image) {
                    done(image, error);
                  }];
}

- (void)load:(double)model
      source:(NSDictionary *)source
     options:(NSDictionary *)options
     resolve:(RCTPromiseResolveBlock)resolve
      reject:(RCTPromiseRejectBlock)reject {
  [_bridge load:model source:source options:options resolve:resolve reject:reject];
}

- (void)cancelLoad:(double)model {
  [_bridge cancelLoad:model];
}

- (void)ask:(double)question
      model:(double)model
       chat:(double)chat
     images:(NSArray *)images
       text:(NSString *)text
    options:(NSDictionary *)options
    resolve:(RCTPromiseResolveBlock)resolve
     reject:(RCTPromiseRejectBlock)reject {
  [_bridge ask:question
         model:model
          chat:chat
        images:images
          text:text
       options:options
       resolve:resolve
        reject:reject];
}

- (void)cancel:(double)question {
  [_bridge cancel:question];
}

- (void)openChat:(double)chat
           model:(double)model
          system:(NSString *_Nullable)system
        messages:(NSArray *)messages
         resolve:(RCTPromiseResolveBlock)resolve
          reject:(RCTPromiseRejectBlock)reject {
  [_bridge openChat:chat
              model:model
             system:system
           messages:messages
            resolve:resolve
             reject:reject];
}

- (void)closeChat:(double)chat {
  [_bridge closeChat:chat];
}

- (void)memoryBytes:(double)model
            resolve:(RCTPromiseResolveBlock)resolve
             reject:(RCTPromiseRejectBlock)reject {
  [_bridge memoryBytes:model resolve:resolve reject:reject];
}

- (void)dispose:(double)model
        resolve:(RCTPromiseResolveBlock)resolve
         reject:(RCTPromiseRejectBlock)reject {
  [_bridge dispose:model resolve:resolve reject:reject];
}

- (void)deleteDownload:(NSString *)url
               resolve:(RCTPromiseResolveBlock)resolve
                reject:(RCTPromiseRejectBlock)reject {
  [_bridge deleteDownload:url resolve:resolve reject:reject];
}

- (void)invalidate {
  [_bridge invalidate];
}

- (std::shared_ptr<facebook::react::TurboModule>)getTurboModule:
    (const facebook::react::ObjCTurboModule::InitParams &)params {
  return std::make_shared<facebook::react::NativeTinyVLMSpecJSI>(params);
}

@end
