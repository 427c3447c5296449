// sentencepiece's configuration, of which only this is read.
#pragma once
#define INSTALL_DATADIR ""
