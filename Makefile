# The two commands of the README. Everything else is CMake: see CMakePresets.json.
.PHONY: build run test setup clean

build: setup
	@cmake --preset release >build.log 2>&1 || { cat build.log; exit 1; }
	@cmake --build --preset release -j $$(nproc)
	@rm -f build.log

run: build
	@./build/isobit run -p "What is isobit?"

test: setup
	@cmake --preset dev
	@cmake --build --preset dev -j $$(nproc)
	@ctest --preset dev -j $$(nproc)

# Installs what is missing (apt), and says what is optional and absent.
setup:
	@tools/setup.sh

clean:
	rm -rf build
