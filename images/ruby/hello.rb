# Answers HTTP on PORT with NAME, or the host's name, until it is told to end.
require 'socket'

%w[TERM INT].each { |signal| trap(signal) { exit 0 } }
name = ENV.fetch('NAME', Socket.gethostname)
server = TCPServer.new(Integer(ENV.fetch('PORT', '80')))
loop do
  Thread.start(server.accept) do |client|
    nil until client.gets.to_s.strip.empty?
    body = "#{name}\n"
    client.write "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" \
                 "Content-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}"
  rescue SystemCallError
    nil # the caller has gone
  ensure
    client.close
  end
end
