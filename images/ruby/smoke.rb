# Runs code as the image's user would: threads, JSON, digests, TLS, compression, and a program of its own.
require 'digest'
require 'json'
require 'open3'
require 'openssl'
require 'rbconfig'
require 'tmpdir'
require 'zlib'

def check(what, found, wanted)
  abort "#{what}: #{found.inspect} instead of #{wanted.inspect}" unless found == wanted
end

check 'threads', (0..4).map { |number| Thread.new { number**2 } }.map(&:value), [0, 1, 4, 9, 16]
check 'json', JSON.parse('{"a": [1, null]}'), { 'a' => [1, nil] }
check 'digest', Digest::SHA256.hexdigest('')[0, 8], 'e3b0c442'
check 'zlib', Zlib::Inflate.inflate(Zlib::Deflate.deflate('swarm' * 100)), 'swarm' * 100
check 'tls', OpenSSL::SSL::SSLContext.new.tap(&:set_params).verify_mode, OpenSSL::SSL::VERIFY_PEER
Dir.mktmpdir(nil, Dir.home) do |folder|
  program = File.join(folder, 'program.rb')
  File.write(program, 'puts (0...10).sum')
  said, status = Open3.capture2(RbConfig.ruby, program)
  check 'a program of its own', [said, status.success?], ["45\n", true]
end
puts "ok ruby #{RUBY_VERSION}"
