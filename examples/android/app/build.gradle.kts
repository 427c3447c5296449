plugins {
  id("com.android.application")
  alias(libs.plugins.kotlin.android)
  id("org.jetbrains.kotlin.plugin.compose")
}

android {
  namespace = "dev.tinyvlm.example"
  compileSdk = 35

  defaultConfig {
    applicationId = "dev.tinyvlm.example"
    minSdk = 24
    targetSdk = 35
    versionCode = 1
    versionName = "1"
  }

  buildFeatures { compose = true }

  // The demo model is an asset, which is mapped where it lies: it must not be compressed.
  sourceSets.getByName("main").assets.srcDir("../../../model")
  androidResources { noCompress += "gguf" }

  buildTypes { release { isMinifyEnabled = true } }

  compileOptions {
    sourceCompatibility = JavaVersion.VERSION_11
    targetCompatibility = JavaVersion.VERSION_11
  }
}

kotlin { compilerOptions { jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11 } }

dependencies {
  implementation("dev.tinyvlm:tiny-vlm")
  implementation(platform("androidx.compose:compose-bom:2025.01.00"))
  implementation("androidx.compose.material3:material3")
  implementation("androidx.activity:activity-compose:1.10.0")
  implementation("androidx.lifecycle:lifecycle-viewmodel-compose:2.8.7")
  implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
}
