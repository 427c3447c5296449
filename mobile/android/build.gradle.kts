// The build for Android Studio: compiles the engine with the NDK and packs the AAR. Written and
// checked statically, never run by us: README.md. pom.xml is the build that is.
plugins {
  alias(libs.plugins.android.library)
  alias(libs.plugins.kotlin.android)
  `maven-publish`
}

group = "dev.tinyvlm"

version = "0.1.0"

android {
  namespace = "dev.tinyvlm"
  compileSdk = 35
  // From version 28 on libraries are aligned to pages of 16 KB.
  ndkVersion = libs.versions.ndk.get()

  defaultConfig {
    minSdk = 24
    consumerProguardFiles("consumer-rules.pro")
    ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    externalNativeBuild {
      cmake {
        targets += "tinyvlm_shared"
        arguments +=
          listOf(
            "-DTINYVLM_JNI=ON",
            "-DTINYVLM_TESTS=OFF",
            "-DTINYVLM_TOOLS=OFF",
            "-DTINYVLM_INSTALL=OFF",
            "-DANDROID_STL=c++_static",
            // Optimised in debug builds of the app, too.
            "-DCMAKE_BUILD_TYPE=Release",
          )
      }
    }
  }

  externalNativeBuild {
    cmake {
      path = file("../../CMakeLists.txt")
      version = libs.versions.cmake.get()
    }
  }

  compileOptions {
    sourceCompatibility = JavaVersion.VERSION_11
    targetCompatibility = JavaVersion.VERSION_11
  }

  // The tests want Maven's set-up (pom.xml).
  sourceSets.getByName("main").kotlin.srcDir("src/main/kotlin")

  publishing { singleVariant("release") { withSourcesJar() } }
}

kotlin {
  explicitApi()
  compilerOptions { jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11 }
}

dependencies { api(libs.kotlinx.coroutines.core) }

publishing {
  publications {
    register<MavenPublication>("release") {
      artifactId = "tiny-vlm"
      afterEvaluate { from(components["release"]) }
      pom {
        name = "Tiny-VLM"
        description = "Questions about images, answered on the device"
        licenses {
          license {
            name = "Apache-2.0"
            url = "https://www.apache.org/licenses/LICENSE-2.0"
          }
        }
      }
    }
  }
}
